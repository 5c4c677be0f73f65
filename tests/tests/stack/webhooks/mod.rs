//! Webhooks: what goes out, when, and what becomes of it.

mod send;
