//! Credentials, users and reminders, as they run in production, over the fake services: what a change leaves in the table,
//! and what the daily reminders read, send and mark.

mod admins;
mod bootstrap;
mod changes;
mod crash;
mod invariants;
mod office;
mod reminders;
mod scale;
