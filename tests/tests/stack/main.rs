//! The API contract through the whole stack: HTTP, functions, table, queues, receivers. All in one
//! binary, because they share one stack.

mod access;
mod api;
mod bootstrap;
mod campaigns;
mod delivery_guarantees;
mod egress;
mod events;
mod keyring;
mod load;
mod providers;
mod secrets;
mod services;
mod state;
mod template;
mod webhooks;
