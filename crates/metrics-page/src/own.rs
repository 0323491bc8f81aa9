//! The counters, gauges and histograms that a program keeps about itself, on the prometheus crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Goes up with every change of a metric.
#[derive(Debug, Clone, Default)]
pub struct Changes(Arc<AtomicU64>);

impl Changes {
    /// A metric has changed.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// Changes so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// Calls `with` for every combination of label values.
pub fn combinations(values: &[Vec<&'static str>], with: &mut dyn FnMut(&[&'static str])) {
    fn walk(
        values: &[Vec<&'static str>],
        chosen: &mut Vec<&'static str>,
        with: &mut dyn FnMut(&[&'static str]),
    ) {
        let Some((first, rest)) = values.split_first() else { return with(chosen) };
        for value in first {
            chosen.push(value);
            walk(rest, chosen, with);
            chosen.pop();
        }
    }
    walk(values, &mut Vec::new(), with);
}

/// Declares the metrics that a program keeps about itself. Each declaration makes the method that writes it,
/// its start at zero for every combination of label values, its registration, and its line in the
/// documentation. The doc comment is the HELP text.
///
/// The type of a label is an enum with `ALL` (an array or slice of every value) and `as_str`, so nothing that
/// comes from outside can become a label value. The name of the argument is the name of the label.
///
/// | declaration | method |
/// |---|---|
/// | `counter name(label: Type) = "…";` | `name(&self, label: Type)` counts one |
/// | `gauge name(label: Type) = "…";` | `name(&self, label: Type, value: f64)` sets it; with `from 1.0` before the semicolon it starts there |
/// | `histogram name(label: Type) = "…" in BUCKETS;` | `name(&self, label: Type, value: f64)` observes one |
/// | `info name(label = "value") = "…";` | none: constant 1 |
///
/// There are no methods that read.
///
/// ```
/// #[derive(Clone, Copy)]
/// enum Fish { Trout, Perch }
/// impl Fish {
///     const ALL: [Fish; 2] = [Fish::Trout, Fish::Perch];
///     fn as_str(self) -> &'static str {
///         match self { Fish::Trout => "trout", Fish::Perch => "perch" }
///     }
/// }
///
/// metrics_page::metrics! {
///     /// What the pond counts.
///     struct Pond = "the pond";
///
///     /// Fish caught, by species.
///     counter caught(species: Fish) = "pond_fish_caught_total";
/// }
///
/// let pond = Pond::new()?;
/// pond.caught(Fish::Trout);
/// let text = prometheus::TextEncoder::new().encode_to_string(&pond.gather())?;
/// assert!(text.contains("pond_fish_caught_total{species=\"perch\"} 0\n"));
/// assert!(text.contains("pond_fish_caught_total{species=\"trout\"} 1\n"));
/// # Ok::<(), prometheus::Error>(())
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$meta:meta])*
        $vis:vis struct $metrics:ident = $owner:literal;
        $(
            $(#[doc = $help:literal])+
            $method_vis:vis $kind:ident $method:ident
                ($($label:ident $(: $type:ty)? $(= $value:expr)?),*) = $name:literal
                $(in $buckets:tt)? $(from $start:literal)?;
        )+
    ) => {
        $(#[$meta])*
        $vis struct $metrics {
            changes: $crate::private::Changes,
            registry: $crate::private::Registry,
            $(
                #[allow(dead_code, reason = "constants are written once")]
                $method: $crate::metrics!(@type $kind),
            )+
        }

        impl $metrics {
            /// Every family, in the order of the declarations.
            $vis const FAMILIES: &[$crate::Family] = &[$(
                $crate::metrics!(@family $owner, $kind, $name, [$($label)*], concat!($($help),+)),
            )+];

            /// All at zero.
            ///
            /// # Errors
            ///
            /// When a name is declared twice.
            $vis fn new() -> $crate::private::Result<Self> {
                let registry = $crate::private::Registry::new();
                $(
                    let family = const {
                        $crate::metrics!(@family $owner, $kind, $name, [$($label)*], concat!($($help),+))
                    };
                    let $method = $crate::metrics!(@new $kind family $(, $buckets)?)?;
                    registry.register(Box::new($method.clone()))?;
                    let values: Vec<Vec<&'static str>> =
                        vec![$($crate::metrics!(@values $($type)? $(= $value)?)),*];
                    $crate::private::combinations(&values, &mut |values| {
                        let _metric = $method.with_label_values(values);
                        $crate::metrics!(@start $kind _metric $($start)?);
                    });
                )+
                Ok(Self { changes: Default::default(), registry, $($method),+ })
            }

            /// Everything as families of the prometheus crate, sorted by name.
            $vis fn gather(&self) -> Vec<$crate::private::MetricFamily> {
                self.registry.gather()
            }

            /// A number that goes up with every change.
            $vis fn changes(&self) -> $crate::private::Changes {
                self.changes.clone()
            }
        }

        $($crate::metrics!(
            @method $kind $metrics [$(#[doc = $help])+ $method_vis] $method($($label $(: $type)?),*)
        );)+
    };

    (@family $owner:literal, $kind:ident, $name:literal, [$($label:ident)*], $doc:expr) => {
        $crate::Family::new(
            $owner, $crate::metrics!(@kind $kind), $name, &[$(stringify!($label)),*], $doc)
    };
    (@kind counter) => { $crate::Kind::Counter };
    (@kind gauge) => { $crate::Kind::Gauge };
    (@kind info) => { $crate::Kind::Gauge };
    (@kind histogram) => { $crate::Kind::Histogram };

    (@type counter) => { $crate::private::IntCounterVec };
    (@type gauge) => { $crate::private::GaugeVec };
    (@type info) => { $crate::private::GaugeVec };
    (@type histogram) => { $crate::private::HistogramVec };

    (@new counter $family:ident) => {
        $crate::private::IntCounterVec::new(
            $crate::private::Opts::new($family.name, $family.help), $family.labels)
    };
    (@new gauge $family:ident) => {
        $crate::private::GaugeVec::new($crate::private::Opts::new($family.name, $family.help), $family.labels)
    };
    (@new info $family:ident) => { $crate::metrics!(@new gauge $family) };
    (@new histogram $family:ident, $buckets:expr) => {
        $crate::private::HistogramVec::new(
            $crate::private::HistogramOpts::new($family.name, $family.help).buckets($buckets.to_vec()),
            $family.labels,
        )
    };

    (@values $type:ty) => { <$type>::ALL.iter().map(|value| value.as_str()).collect() };
    (@values = $value:expr) => { vec![$value] };

    (@start info $metric:ident) => { $metric.set(1.0) };
    (@start gauge $metric:ident $start:literal) => { $metric.set($start) };
    (@start $kind:ident $metric:ident) => {};

    (@method counter $metrics:ident [$($attributes:tt)*] $method:ident($($label:ident: $type:ty),*)) => {
        impl $metrics {
            $($attributes)* fn $method(&self, $($label: $type),*) {
                let values: &[&str] = &[$($label.as_str()),*];
                self.$method.with_label_values(values).inc();
                self.changes.count();
            }
        }
    };
    (@method gauge $metrics:ident [$($attributes:tt)*] $method:ident($($label:ident: $type:ty),*)) => {
        impl $metrics {
            $($attributes)* fn $method(&self, $($label: $type,)* value: f64) {
                let values: &[&str] = &[$($label.as_str()),*];
                self.$method.with_label_values(values).set(value);
                self.changes.count();
            }
        }
    };
    (@method histogram $metrics:ident [$($attributes:tt)*] $method:ident($($label:ident: $type:ty),*)) => {
        impl $metrics {
            $($attributes)* fn $method(&self, $($label: $type,)* value: f64) {
                let values: &[&str] = &[$($label.as_str()),*];
                self.$method.with_label_values(values).observe(value);
                self.changes.count();
            }
        }
    };
    (@method info $($rest:tt)*) => {};
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    #[derive(Clone, Copy)]
    enum Switch {
        On,
        Off,
    }

    impl Switch {
        const ALL: [Switch; 2] = [Switch::On, Switch::Off];

        fn as_str(self) -> &'static str {
            match self {
                Switch::On => "on",
                Switch::Off => "off",
            }
        }
    }

    crate::metrics! {
        /// For this test.
        pub(super) struct Own = "a test";

        /// Switches.
        counter switched(left: Switch, right: Switch) = "switched_total";
        /// Volts.
        gauge volts() = "volts" from 0.5;
        /// Seconds.
        histogram took(left: Switch) = "took_seconds" in [1.0];
        /// Constant 1.
        info build(version = "7", os = "plan9") = "build_info";
    }

    #[test]
    fn a_declaration_is_all_that_a_metric_takes() {
        let own = Own::new().unwrap();
        let text = || TextEncoder::new().encode_to_string(&own.gather()).unwrap();
        let zero = text();
        for line in [
            "build_info{os=\"plan9\",version=\"7\"} 1\n",
            "switched_total{left=\"off\",right=\"off\"} 0\n",
            "switched_total{left=\"off\",right=\"on\"} 0\n",
            "switched_total{left=\"on\",right=\"off\"} 0\n",
            "switched_total{left=\"on\",right=\"on\"} 0\n",
            "took_seconds_bucket{left=\"off\",le=\"1\"} 0\n",
            "took_seconds_count{left=\"on\"} 0\n",
            "# HELP volts Volts.\n# TYPE volts gauge\nvolts 0.5\n",
        ] {
            assert!(zero.contains(line), "{line} is not in\n{zero}");
        }
        let changes = own.changes();
        assert_eq!(changes.get(), 0);
        own.switched(Switch::On, Switch::Off);
        own.volts(1.5);
        own.took(Switch::Off, 2.0);
        assert_eq!(changes.get(), 3);
        let later = text();
        for line in [
            "switched_total{left=\"on\",right=\"off\"} 1\n",
            "volts 1.5\n",
            "took_seconds_bucket{left=\"off\",le=\"+Inf\"} 1\n",
            "took_seconds_sum{left=\"off\"} 2\n",
        ] {
            assert!(later.contains(line), "{line} is not in\n{later}");
        }
    }

    #[test]
    fn families_are_those_that_are_declared() {
        let declared = Own::FAMILIES.iter().map(|family| (family.name, family.kind.as_str(), family.labels));
        assert_eq!(
            declared.collect::<Vec<_>>(),
            [
                ("switched_total", "counter", ["left", "right"].as_slice()),
                ("volts", "gauge", &[]),
                ("took_seconds", "histogram", &["left"]),
                ("build_info", "gauge", &["version", "os"]),
            ]
        );
    }
}
