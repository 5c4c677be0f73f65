//! What the integration tests share: a running stack, receivers of webhooks, and words to use them
//! with; and the system over services that are faked in the test's own process.

pub mod client;
pub mod contract;
pub mod fake;
pub mod faults;
pub mod fixture;
pub mod load;
pub mod memory;
pub mod provider;
pub mod receiver;
pub mod rights;
pub mod service;
pub mod stack;
pub mod webhook;
