//! The delivery guarantee through the whole stack with faults: killed processes, failing calls to
//! AWS, and dead letters. All in one binary, because they share one stack, separate from that of
//! the other tests.
#![cfg(target_os = "linux")]

mod calls;
mod dead;
mod fairness;
mod processes;
mod sweeper;
