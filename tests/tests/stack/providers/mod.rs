//! Providers, messages and calls.

mod manage;
mod messages;
mod presets;
