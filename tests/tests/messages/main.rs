//! Providers, messages and calls over the fake services: selection of the provider, retries, and
//! that no crash loses or duplicates a message.

mod account;
mod api;
mod callbacks;
mod chosen;
mod examples;
mod fallback;
mod inbound;
mod points;
mod schedule;
mod success;
mod takeover;
mod templates;
