//! Webhooks: selection, requests, signatures, retries and stops.

mod again;
mod choose;
mod send;
mod sign;
mod stop;
mod tools;
