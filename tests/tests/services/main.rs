//! Connected services over the fake services: inbound calls with crashes and duplicates, access
//! tokens of outgoing calls, and the IAM rights of both.

mod account_tests;
mod calls;
mod changes;
mod inbound;
mod leases;
mod oauth;
mod rights;
mod tokens;
