//! The status of the API as metric families.

use metrics_page::{FamilyBuilder, collect, families};
use prometheus::proto::MetricFamily;
use units::Timestamp;

use crate::model::{JobKind, Trip};
use crate::state::ApiStatus;

families! {
    /// The families of the API's status.
    pub(super) const FAMILIES: fn(&ApiStatus, &mut FamilyBuilder) = "the API";

    /// 1 if the API identifies itself as a simulator, so that no result on this page is real; else 0.
    gauge "tiktok_exporter_simulated_data" [] => |api, family| {
        family.put(&[], f64::from(u8::from(api.simulated)));
    };
    /// Factor by which the budget stretches all refresh intervals of a purpose: 1 as configured, +Inf paused.
    /// Discovery is stretched before posts, posts before totals.
    gauge "tiktok_exporter_stretch_factor" [purpose] => |api, family| {
        for (kind, stretch) in JobKind::ALL.into_iter().zip(api.pace.stretch) {
            family.put(&[kind.as_str()], stretch);
        }
    };
    /// 1 while all requests are stopped for this reason: auth (the API rejects the key) or credits_exhausted (the
    /// account has no credits left); else 0.
    gauge "tiktok_exporter_upstream_breaker_open" [reason] => |api, family| {
        for trip in Trip::ALL {
            family.put(&[trip.as_str()], f64::from(u8::from(api.stopped == Some(trip))));
        }
    };
    /// Time until which no requests are sent because the API last asked to slow down (429, Retry-After). In the
    /// past once the pause is over; 0 if there was none since the start or since the API settings changed.
    gauge "tiktok_exporter_upstream_paused_until_timestamp_seconds" [] => |api, family| {
        family.put(&[], api.paused_until.map_or(0.0, Timestamp::as_secs_f64));
    };
}

/// The families of this status.
pub(super) fn families(status: &ApiStatus) -> Vec<MetricFamily> {
    collect(FAMILIES, |value, family| value(status, family))
}
