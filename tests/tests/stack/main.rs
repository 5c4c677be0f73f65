//! The contract through the whole stack: HTTP, functions, table, queues, receivers. One binary, so
//! that one stack does.

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
