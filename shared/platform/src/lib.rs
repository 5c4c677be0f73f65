//! Adapters for AWS, HTTP, queues, keys, environment, time, randomness and logs.
//!
//! The functions decide with `shared/domain` and act through these modules. Each concern lives in
//! one module: no other code reads the clock, an environment variable or the random source.

pub mod attempt;
pub mod aws;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod document;
pub mod egress;
pub mod encryption;
pub mod gateway;
pub mod keyring;
pub mod oauth;
pub mod provider_client;
pub mod queue;
pub mod random;
pub mod service_client;
pub mod table;
pub mod telemetry;
