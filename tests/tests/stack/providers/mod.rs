//! Providers, messages and calls.

mod account;
mod fallback;
mod manage;
mod messages;
mod presets;
mod third_party;
