//! The values of one family.

/// Values of one family, some of which may be absent. Half the size of a `Vec<Option<f64>>`: with a million
/// samples that is megabytes.
#[derive(Debug, Default)]
pub struct Column(Vec<u64>);

/// The bits that stand for no value. They are those of a NaN that no arithmetic yields.
const ABSENT: u64 = u64::MAX;

impl Column {
    /// Empties it, and reserves room for `values`.
    pub fn begin(&mut self, values: usize) {
        self.0.clear();
        self.0.reserve_exact(values);
    }

    /// Appends values.
    #[inline]
    pub fn extend(&mut self, values: impl Iterator<Item = Option<f64>>) {
        self.0.extend(values.map(|value| value.map_or(ABSENT, f64::to_bits)));
    }

    /// All values, in order.
    #[inline]
    pub fn values(&self) -> impl Iterator<Item = Option<f64>> {
        self.0.iter().map(|bits| (*bits != ABSENT).then(|| f64::from_bits(*bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::Column;

    #[test]
    fn absent_values_stay_absent_and_zeros_stay_zeros() {
        let values = [Some(0.0), None, Some(-0.0), Some(f64::INFINITY), Some(f64::MIN_POSITIVE)];
        let mut column = Column::default();
        column.begin(1);
        column.extend([Some(1.0)].into_iter());
        column.begin(values.len());
        column.extend(values.into_iter());
        assert_eq!(column.values().collect::<Vec<_>>(), values);
        column.extend([Some(f64::NAN)].into_iter());
        assert!(column.values().last().is_some_and(|value| value.is_some_and(f64::is_nan)));
    }
}
