//! How likely it is that a trend is random.

/// Upper bound on the p-value of a rise: the probability that a steady stream puts `last_day` or more of the
/// `week` posts of seven days into the last day. 0 to 1; `None` if the last day is not above the mean.
///
/// This is the Chernoff bound of the binomial tail, the same that the recording rules use for the growth of
/// totals.
pub fn steady_p_value(last_day: u64, week: u64) -> Option<f64> {
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

    /// The exact tail probability.
    fn tail(k: u64, n: u64) -> f64 {
        let term = |i: u64| {
            let ways: f64 = (0..i).map(|j| (n - j) as f64 / (j + 1) as f64).product();
            ways * (1.0_f64 / 7.0).powi(i as i32) * (6.0_f64 / 7.0).powi((n - i) as i32)
        };
        (k..=n).map(term).sum()
    }

    #[test]
    fn the_bound_is_never_below_the_exact_probability_and_not_far_above() {
        for n in 1..60 {
            for k in 0..=n {
                match steady_p_value(k, n) {
                    None => assert!(k * 7 <= n, "{k} of {n}"),
                    Some(bound) => {
                        let exact = tail(k, n);
                        assert!(bound >= exact * (1.0 - 1e-9) && bound <= 1.0, "{k} of {n}: {bound} {exact}");
                        assert!(bound <= exact.powf(0.6) * 2.0, "{k} of {n}: {bound} {exact}");
                    }
                }
            }
        }
        assert_eq!(steady_p_value(0, 0), None);
        assert_eq!(steady_p_value(5, 2), None);
    }
}
