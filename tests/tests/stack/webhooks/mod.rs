//! Webhooks: selection, requests, signatures, retries and stops.

mod again;
mod choose;
mod clone;
mod delays;
mod send;
mod sign;
mod stop;
mod tools;
