//! Credentials, users and reminders, as they run in production, over the fake services: what a
//! change leaves in the table, what the daily reminders read, send and mark, who may call which
//! route of the API, and what an import of a campaign makes.

mod admins;
mod bootstrap;
mod changes;
mod conflicts;
mod crash;
mod event_types;
mod fixture;
mod hostile;
mod imports;
mod invariants;
mod keys;
mod lists;
mod power;
mod reminders;
mod roles;
mod routes;
mod scale;
mod sign_in;
