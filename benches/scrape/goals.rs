//! The goals, what was measured for each, and whether it is met.

/// Collects one line for each goal.
#[derive(Default)]
pub struct Goals {
    missed: Vec<String>,
}

impl Goals {
    /// What was measured is to be `limit` at the most.
    pub fn at_most(&mut self, goal: &str, measured: f64, limit: f64, how: &str) {
        self.line(goal, measured, measured <= limit, &format!("<= {}", short(limit)), how);
    }

    /// What was measured is to be `limit` at least.
    pub fn at_least(&mut self, goal: &str, measured: f64, limit: f64, how: &str) {
        self.line(goal, measured, measured >= limit, &format!(">= {}", short(limit)), how);
    }

    fn line(&mut self, goal: &str, measured: f64, met: bool, limit: &str, how: &str) {
        let verdict = if met { "met" } else { "MISSED" };
        println!("| {goal} | {} | {limit} | {verdict} | {how} |", short(measured));
        if !met {
            self.missed.push(goal.to_owned());
        }
    }

    /// The head of the table.
    pub fn head() {
        println!("| goal | measured | wanted | | from |\n|---|---|---|---|---|");
    }

    /// Which goals were missed.
    pub fn missed(&self) -> &[String] {
        &self.missed
    }
}

/// Something worth knowing that is no goal.
pub fn note(what: &str, measured: &str) {
    println!("| {what} | {measured} | | | |");
}

/// Three digits.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}

/// In milliseconds.
pub fn ms(duration: std::time::Duration) -> String {
    format!("{} ms", short(duration.as_secs_f64() * 1e3))
}

/// In millions of bytes.
pub fn mb(bytes: f64) -> String {
    format!("{} MB", short(bytes / 1e6))
}
