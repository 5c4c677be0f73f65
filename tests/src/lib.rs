//! What the integration tests share: a running stack, receivers of webhooks, and words to use them with.

pub mod client;
pub mod sink;
pub mod stack;
pub mod webhook;
