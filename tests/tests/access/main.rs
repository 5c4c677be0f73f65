//! Credentials, users and reminders over the fake services: the items that a change leaves, the
//! daily reminders, the scopes of every route, and the import of campaigns.

mod addresses;
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
