//! Providers, messages and calls over the fake services: which provider is taken, what retries come
//! to, and that no crash loses a message or makes two of one.

mod api;
mod chosen;
mod points;
mod schedule;
