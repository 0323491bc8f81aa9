//! Samples on their way to metric families.

use std::collections::BTreeMap;

use prometheus::core::Desc;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::families::Family;
use super::results::{More, Sink, Subject};

/// Label names with their values, the same names in the same order for each sample of a family.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// The samples of one scrape, by family.
#[derive(Default)]
pub(super) struct Sheet {
    families: BTreeMap<&'static str, Vec<Metric>>,
    /// Whose samples a [`Sink`] is getting.
    current: Option<&'static Family>,
}

impl Sheet {
    /// Adds a sample to a family.
    pub(super) fn put(&mut self, family: &Family, labels: Labels<'_>, value: f64) {
        let pair = |(name, value): &(&'static str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        let mut metric = Metric::from_label(labels.iter().map(pair).collect());
        if family.is_counter() {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.families.entry(family.name).or_default().push(metric);
    }

    /// The families of `all` that have samples, in that order.
    pub(super) fn into_families(mut self, all: &[&Family]) -> Vec<MetricFamily> {
        let family = |family: &&Family| {
            let kind = if family.is_counter() { MetricType::COUNTER } else { MetricType::GAUGE };
            let mut collected = MetricFamily::default();
            collected.set_name(family.name.to_owned());
            collected.set_help(family.help.to_owned());
            collected.set_field_type(kind);
            collected.set_metric(self.families.remove(family.name)?);
            Some(collected)
        };
        all.iter().filter_map(family).collect()
    }
}

impl Sink for Sheet {
    fn family(&mut self, family: &'static Family) {
        self.current = Some(family);
    }

    fn sample(&mut self, subject: &Subject<'_>, more: &More<'_>, value: f64) {
        let mut labels = vec![subject.label];
        labels.extend(subject.second);
        labels.extend_from_slice(more.labels);
        if let Some(family) = self.current {
            self.put(family, &labels, value);
        }
    }
}

/// What the registry is told of families. It checks only that names are valid and unique; labels
/// vary per sample.
pub(super) fn describe(all: &[&Family]) -> prometheus::Result<Vec<Desc>> {
    let describe = |family: &&Family| {
        Desc::new(family.name.to_owned(), family.help.to_owned(), Vec::new(), Default::default())
    };
    all.iter().map(describe).collect()
}
