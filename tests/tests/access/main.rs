//! Credentials, users and reminders, as they run in production, over the fake services: what a change leaves in the table,
//! what the daily reminders read, send and mark, and who may call which route of the API.

mod admins;
mod api;
mod bootstrap;
mod changes;
mod crash;
mod invariants;
mod office;
mod reminders;
mod roles;
mod routes;
mod scale;
mod sign_in;
