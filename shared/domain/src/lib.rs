//! Business rules: pure functions over plain data.
//!
//! No I/O, clock or randomness. Times and random values are arguments, and functions return the
//! action to take. The functions under `functions/` perform that action through `shared/platform`.

pub mod account;
pub mod attempt;
pub mod audit;
pub mod callback;
pub mod campaign;
pub mod condition;
pub mod credential;
mod cursor;
pub mod delivery;
pub mod egress_policy;
pub mod email;
pub mod event;
pub mod event_type;
pub mod excerpt;
pub mod form;
pub mod header;
pub mod id;
pub mod inbound;
pub mod json;
pub mod media_type;
pub mod message;
pub mod outgoing;
pub mod overlap;
pub mod path;
pub mod pattern;
pub mod pointer;
pub mod provider;
pub mod queue_message;
pub mod resource;
pub mod retry;
pub mod scope;
pub mod secrets;
pub mod service;
pub mod signature;
pub mod success;
mod tag;
pub mod template;
pub mod time;
pub mod token;
pub mod user;
pub mod validation;
pub mod webhook;
