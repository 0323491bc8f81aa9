//! The declaration of a metric family.

/// The type of a family, as `# TYPE` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up, and starts again at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl Kind {
    /// The kind as `# TYPE` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A metric family.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// The metric name.
    pub name: &'static str,
    /// The HELP text: one line, without backslashes.
    pub help: &'static str,
    /// The type.
    pub kind: Kind,
    /// The label names, in the order of their values.
    pub labels: &'static [&'static str],
    /// The part of the program that the values come from, as the documentation names it.
    pub owner: &'static str,
}

impl Family {
    /// A family whose HELP text is the doc comment `doc`.
    ///
    /// # Panics
    ///
    /// When a name is not valid, a counter does not end in `_total` (or another kind does), or HELP needs
    /// escaping. The macros call this in a constant, so that it is an error of the compiler.
    pub const fn new(
        owner: &'static str,
        kind: Kind,
        name: &'static str,
        labels: &'static [&'static str],
        doc: &'static str,
    ) -> Self {
        assert!(is_name(name), "not the name of a metric");
        assert!(ends_with(name, "_total") == matches!(kind, Kind::Counter), "only counters end in _total");
        let mut n = 0;
        while n < labels.len() {
            assert!(is_name(labels[n]), "not the name of a label");
            n += 1;
        }
        let help = doc.trim_ascii();
        assert!(!help.is_empty(), "HELP is missing");
        let mut n = 0;
        while n < help.len() {
            assert!(!matches!(help.as_bytes()[n], b'\\' | b'\n'), "HELP would have to be escaped");
            n += 1;
        }
        Self { name, help, kind, labels, owner }
    }
}

/// A family, and where its values come from.
#[derive(Debug, Clone, Copy)]
pub struct Source<V: 'static> {
    /// The family.
    pub family: Family,
    /// Where its values come from: usually a function of what is shown.
    pub value: V,
}

/// Declares the families of a table, in the order of the page: sorted by name, which the compiler checks.
/// The doc comment is the HELP text.
///
/// ```
/// metrics_page::families! {
///     /// The families of a pond.
///     const POND: fn(&[u32]) -> f64 = "the pond";
///
///     /// Fish in the pond. Refreshed once a day.
///     gauge "pond_fish" [] => |fish| fish.len() as f64;
///     /// Weight of all fish in the pond.
///     gauge "pond_fish_weight_grams" [] => |fish| fish.iter().copied().map(f64::from).sum();
/// }
/// assert_eq!(POND[0].family.help, "Fish in the pond. Refreshed once a day.");
/// assert_eq!((POND[1].value)(&[250, 500]), 750.0);
/// ```
#[macro_export]
macro_rules! families {
    (
        $(#[$meta:meta])*
        $vis:vis const $table:ident: $values:ty = $owner:literal;
        $($(#[doc = $help:literal])+ $kind:ident $name:literal [$($label:ident),*] => $value:expr;)+
    ) => {
        $(#[$meta])*
        $vis const $table: &[$crate::Source<$values>] = {
            $crate::private::assert_sorted(&[$($name),+]);
            &[$($crate::Source {
                family: $crate::Family::new(
                    $owner,
                    $crate::families!(@kind $kind),
                    $name,
                    &[$(stringify!($label)),*],
                    concat!($($help),+),
                ),
                value: $value,
            }),+]
        };
    };
    (@kind counter) => { $crate::Kind::Counter };
    (@kind gauge) => { $crate::Kind::Gauge };
    (@kind histogram) => { $crate::Kind::Histogram };
}

/// For constants: fails to compile unless the names ascend.
pub const fn assert_sorted(names: &[&str]) {
    let mut n = 1;
    while n < names.len() {
        assert!(
            is_before(names[n - 1], names[n]),
            "families must be declared once, in the order of their names"
        );
        n += 1;
    }
}

const fn is_before(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut n = 0;
    while n < one.len() && n < other.len() {
        if one[n] != other[n] {
            return one[n] < other[n];
        }
        n += 1;
    }
    one.len() < other.len()
}

const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut n = 0;
    while n < bytes.len() {
        if !(bytes[n].is_ascii_lowercase() || bytes[n] == b'_' || (n > 0 && bytes[n].is_ascii_digit())) {
            return false;
        }
        n += 1;
    }
    n > 0
}

const fn ends_with(text: &str, end: &str) -> bool {
    let (text, end) = (text.as_bytes(), end.as_bytes());
    if text.len() < end.len() {
        return false;
    }
    let mut n = 1;
    while n <= end.len() {
        if text[text.len() - n] != end[end.len() - n] {
            return false;
        }
        n += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Family, Kind, assert_sorted, is_before};

    #[test]
    fn help_is_the_doc_comment_on_one_line() {
        families! {
            const TABLE: () = "a test";
            /// One line
            /// and another.
            counter "a_total" [one, other] => ();
        }
        let family = TABLE[0].family;
        assert_eq!((family.help, family.kind), ("One line and another.", Kind::Counter));
        assert_eq!((family.labels, family.owner), (["one", "other"].as_slice(), "a test"));
    }

    #[test]
    fn names_ascend() {
        for (one, other, want) in
            [("a", "b", true), ("a", "a", false), ("a", "ab", true), ("ab", "a", false), ("a_b", "ab", true)]
        {
            assert_eq!(is_before(one, other), want, "{one} {other}");
        }
    }

    #[test]
    #[should_panic(expected = "declared once")]
    fn a_name_cannot_be_declared_twice() {
        assert_sorted(&["a", "a"]);
    }

    #[test]
    #[should_panic(expected = "only counters")]
    fn a_gauge_is_not_called_total() {
        Family::new("a test", Kind::Gauge, "a_total", &[], " Help.");
    }
}
