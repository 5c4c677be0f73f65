//! Connected services: accounts, requests to them, and their inbound requests.

mod accounts;
mod inbound;
mod oauth;
mod send;
mod webhooks;
