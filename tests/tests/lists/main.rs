//! Lists and single resources of the API over the fake services: every entry once, in order, within
//! Lambda's quota for responses.

mod api;
mod batches;
mod bounds;
mod cursors;
mod delays;
mod deliveries;
mod expiry;
mod labels;
mod memory;
mod pages;
mod previews;
mod replay;
mod types;
