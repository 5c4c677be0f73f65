//! Lists and single resources, as the API gives them, over the fake services: every entry once, in
//! order, in answers that Lambda can give.

mod api;
mod batches;
mod bounds;
mod cursors;
mod deliveries;
mod expiry;
mod memory;
mod pages;
mod previews;
mod replay;
mod types;
