//! Samples as families of the prometheus crate: for small parts of a page, and for tools that read them.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use crate::{ExtraLabels, Family, Kind, Sink, Source, Subject};

/// Builds one family.
#[derive(Debug)]
pub struct FamilyBuilder {
    family: &'static Family,
    metrics: Vec<Metric>,
}

impl FamilyBuilder {
    /// A family without samples.
    pub fn new(family: &'static Family) -> Self {
        Self { family, metrics: Vec::new() }
    }

    /// Adds a sample; `values` are those of the labels that the family declares, in that order.
    pub fn put(&mut self, values: &[&str], value: f64) {
        debug_assert_eq!(values.len(), self.family.labels.len(), "{}", self.family.name);
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        let mut metric = Metric::from_label(self.family.labels.iter().zip(values).map(pair).collect());
        if self.family.kind == Kind::Counter {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metrics.push(metric);
    }

    /// The family; `None` without samples.
    pub fn build(self) -> Option<MetricFamily> {
        let kind = match self.family.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        };
        let mut family = MetricFamily::default();
        family.set_name(self.family.name.to_owned());
        family.set_help(self.family.help.to_owned());
        family.set_field_type(kind);
        let has_samples = !self.metrics.is_empty();
        family.set_metric(self.metrics);
        has_samples.then_some(family)
    }
}

/// The families of a table that have samples; `fill` adds those of one family.
pub fn collect<V>(
    table: &'static [Source<V>],
    mut fill: impl FnMut(&V, &mut FamilyBuilder),
) -> Vec<MetricFamily> {
    let family = |source: &'static Source<V>| {
        let mut builder = FamilyBuilder::new(&source.family);
        fill(&source.value, &mut builder);
        builder.build()
    };
    table.iter().filter_map(family).collect()
}

/// The families of several parts, sorted by name.
pub fn merge(parts: impl IntoIterator<Item = Vec<MetricFamily>>) -> Vec<MetricFamily> {
    let mut families: Vec<_> = parts.into_iter().flatten().collect();
    families.sort_by(|a, b| a.name().cmp(b.name()));
    families
}

/// Collects the samples of a page as families, in the order of the page.
#[derive(Debug, Default)]
pub struct FamilyCollector {
    complete: Vec<MetricFamily>,
    current: Option<FamilyBuilder>,
}

impl FamilyCollector {
    /// All families.
    pub fn into_families(mut self) -> Vec<MetricFamily> {
        self.complete_current();
        self.complete
    }

    fn complete_current(&mut self) {
        self.complete.extend(self.current.take().and_then(FamilyBuilder::build));
    }
}

impl Sink for FamilyCollector {
    fn family(&mut self, family: &'static Family) {
        self.complete_current();
        self.current = Some(FamilyBuilder::new(family));
    }

    fn sample(&mut self, subject: &Subject<'_>, extra: &ExtraLabels<'_>, value: f64) {
        let Some(current) = &mut self.current else { return };
        let labels = [subject.label].into_iter().chain(subject.second).chain(extra.labels.iter().copied());
        let (names, values): (Vec<_>, Vec<_>) = labels.unzip();
        debug_assert_eq!(names, current.family.labels, "{}", current.family.name);
        current.put(&values, value);
    }
}
