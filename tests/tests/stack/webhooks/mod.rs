//! Webhooks: what goes out, when, and what becomes of it.

mod again;
mod choose;
mod send;
mod sign;
mod stop;
mod tools;
