//! TikLiveAPI: every operation has a path of its own, answers are not wrapped, and most errors come as HTTP 200 with
//! a `message`.

mod client;
mod simulator;

use serde_json::Value;

use super::family;
use crate::dialect::{Fields, Language};
use crate::fake::{Call, Content, Parameters, Rejection};
use crate::provider::Provider;
use crate::{Answer, Error, Query, RawAnswer};

static PROVIDER: Provider = Provider {
    name: "TikLiveAPI",
    dialect: "tiklive",
    base_url: "https://api.tikliveapi.com/",
    domains: &["tikliveapi.com"],
    key_variable: "TIKLIVE_API_KEY",
    key_header: "x-api-key",
    posts_page_max: 35,
    hashtags_page_max: 30,
    requests_per_minute: 200,
    requests_per_minute_max: 6_000,
    usd_per_100_000: 9.90,
    posts_take_region: true,
    lists_regions: true,
};

/// The dialect of TikLiveAPI.
#[derive(Debug)]
pub(crate) struct TikLive;

impl Language for TikLive {
    fn provider(&self) -> &'static Provider {
        &PROVIDER
    }

    fn request(&self, query: &Query) -> (&'static str, Vec<(&'static str, String)>) {
        (client::path(query.operation()), client::parameters(query))
    }

    fn read(&self, query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
        client::read(self, query, raw)
    }

    fn parse(&self, path: &str, parameters: &Parameters) -> Option<Call> {
        simulator::parse(path, parameters)
    }

    fn write(&self, content: &Content) -> Value {
        family::content(content)
    }

    fn reject(&self, rejection: Rejection) -> (u16, Value) {
        simulator::reject(rejection)
    }

    fn fields(&self) -> &'static Fields {
        &family::FIELDS
    }
}
