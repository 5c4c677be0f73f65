//! Adapters for AWS, HTTP, queues, keys, environment, time, randomness and logs.
//!
//! The functions decide with `shared/domain` and act through these modules. Each concern lives in
//! one module: no other code reads the clock, an environment variable or the random source.

pub mod attempt;
pub mod aws;
pub mod clock;
pub mod config;
pub mod connected;
pub mod deadline;
pub mod document;
pub mod egress;
pub mod gateway;
pub mod keyring;
pub mod messenger;
pub mod oauth;
pub mod queue;
pub mod random;
pub mod seal;
pub mod table;
pub mod telemetry;
