//! How likely chance alone makes a trend.

/// At most so likely does a steady stream put `last_day` or more of its `week` posts of seven days into
/// the last of them. `None` where the last day is not above the mean.
///
/// The Chernoff bound of the binomial tail, as the rules record it for the growth of totals.
pub fn steady_chance(last_day: u64, week: u64) -> Option<f64> {
    let (k, n) = (last_day as f64, week as f64);
    if last_day > week || k * 7.0 <= n {
        return None;
    }
    let rest = n - k;
    let rest = if rest == 0.0 { 0.0 } else { rest * (7.0 * rest / (6.0 * n)).ln() };
    Some((-(k * (7.0 * k / n).ln() + rest)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exact tail, term by term.
    fn tail(k: u64, n: u64) -> f64 {
        let term = |i: u64| {
            let ways: f64 = (0..i).map(|j| (n - j) as f64 / (j + 1) as f64).product();
            ways * (1.0_f64 / 7.0).powi(i as i32) * (6.0_f64 / 7.0).powi((n - i) as i32)
        };
        (k..=n).map(term).sum()
    }

    #[test]
    fn it_is_never_below_the_exact_chance_and_not_far_above() {
        for n in 1..60 {
            for k in 0..=n {
                match steady_chance(k, n) {
                    None => assert!(k * 7 <= n, "{k} of {n}"),
                    Some(bound) => {
                        let exact = tail(k, n);
                        assert!(bound >= exact * (1.0 - 1e-9) && bound <= 1.0, "{k} of {n}: {bound} {exact}");
                        assert!(bound <= exact.powf(0.6) * 2.0, "{k} of {n}: {bound} {exact}");
                    }
                }
            }
        }
        assert_eq!(steady_chance(0, 0), None);
        assert_eq!(steady_chance(5, 2), None);
    }
}
