//! Measures the release builds of the functions, one invocation after the other.
//!
//! Each function runs as its own process against a Runtime API, fakes of AWS and a receiver in
//! this process. Measured is the CPU time of the function's process alone, so that the results
//! hardly depend on what else runs on the machine. A function that does nothing and a bare HTTP
//! client run the same way, for comparison. Requests to AWS are counted by the fakes.
//!
//! `cargo bench -p tests` prints the tables of docs/performance.md; `-- start` and the like measure
//! one part. `EXECUTABLES=<directory>` measures the executables in that directory: another build, or
//! scripts that run them under a profiler.

mod binaries;
mod function;
mod report;
mod scenarios;
mod servers;

use self::{binaries::Binaries, report::Report};

#[tokio::main]
async fn main() {
    let parts: Vec<String> = std::env::args()
        .filter(|part| !part.starts_with("--"))
        .skip(1)
        .collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let given = std::env::var_os("EXECUTABLES").map(|directory| Binaries::of(directory.into()));
    let binaries = given.unwrap_or_else(binaries::build);
    let mut report = Report::default();
    if wanted("start") {
        scenarios::start::measure(&binaries, &mut report).await;
    }
    if wanted("events") {
        scenarios::events::measure(&binaries, &mut report).await;
    }
    if wanted("inbound") {
        scenarios::inbound::measure(&binaries, &mut report).await;
    }
    if wanted("imposed") {
        scenarios::imposed::measure(&binaries, &mut report).await;
    }
    if wanted("lists") {
        scenarios::lists::measure(&binaries, &mut report).await;
    }
    report.print();
}
