//! Measures the release builds of the functions, one invocation after the other.
//!
//! Each function runs as its own process against a Runtime API, fakes of AWS and a receiver in
//! this process. Measured is the CPU time of the function's process alone, so that the results
//! hardly depend on what else runs on the machine. A function that does nothing and a bare HTTP
//! client run the same way, for comparison. Requests to AWS are counted by the fakes.
//!
//! `cargo bench -p tests` prints the table of docs/performance.md.

mod binaries;
mod function;
mod report;
mod scenarios;
mod servers;

use self::report::Report;

#[tokio::main]
async fn main() {
    let binaries = binaries::build();
    let mut report = Report::default();
    scenarios::start::measure(&binaries, &mut report).await;
    scenarios::events::measure(&binaries, &mut report).await;
    scenarios::inbound::measure(&binaries, &mut report).await;
    scenarios::lists::measure(&binaries, &mut report).await;
    report.print();
}
