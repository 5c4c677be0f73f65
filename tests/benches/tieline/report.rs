//! The printed table.

use std::time::Duration;

/// Rows of the table, in the order of measurement.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<[String; 3]>);

impl Report {
    /// Adds a section's heading.
    pub(crate) fn section(&mut self, name: &str) {
        self.0
            .push([format!("**{name}**"), String::new(), String::new()]);
    }

    /// Adds a measurement and what it is compared with, if anything.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
        compared: impl Into<String>,
    ) {
        let row = [name.into(), value.into(), compared.into()];
        eprintln!("{}", row.join(" | "));
        self.0.push(row);
    }

    /// Prints the table in Markdown.
    #[expect(clippy::print_stdout, reason = "the output of the bench")]
    pub(crate) fn print(&self) {
        println!("| what | measured | compared |\n|---|---|---|");
        for row in &self.0 {
            println!("| {} |", row.join(" | "));
        }
    }
}

/// Formats a duration in milliseconds.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Formats the time that 10,000 of something take.
pub(crate) fn per_10_000(time: Duration, count: usize) -> String {
    format!("{:.2} s", time.as_secs_f64() / as_f64(count) * 1e4)
}

/// Formats how many times `base` fits into `time`.
pub(crate) fn times(time: Duration, base: Duration) -> String {
    format!("{:.1} ×", time.as_secs_f64() / base.as_secs_f64())
}

/// Formats a number per item.
pub(crate) fn per(number: usize, count: usize) -> String {
    format!("{:.2}", as_f64(number) / as_f64(count))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn as_f64(number: usize) -> f64 {
    number as f64
}
