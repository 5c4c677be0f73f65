//! Connected services: accounts, calls to them, their own calls.

mod accounts;
mod inbound;
mod oauth;
mod send;
mod webhooks;
