//! The delivery promise through the whole stack while things break: processes, calls to AWS, and
//! what lies in the dead letters by then. One binary, so that one stack does, which is not the
//! other tests'.
#![cfg(target_os = "linux")]

mod calls;
mod dead;
mod fairness;
mod processes;
mod sweeper;
