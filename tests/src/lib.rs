//! Fixtures of the integration tests: the stack on an emulator of AWS, the functions in the test's
//! own process over fakes of AWS, and receivers of webhooks.

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
