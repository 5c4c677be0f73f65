//! Business rules: pure functions over plain data.
//!
//! No I/O, clock or randomness. Times and random values are arguments, and functions return the
//! action to take. The functions under `functions/` perform that action through `shared/platform`.

pub mod account;
pub mod audit;
pub mod callback;
pub mod campaign;
pub mod condition;
pub mod credential;
pub mod delivery;
pub mod email;
pub mod event;
pub mod event_type;
pub mod excerpt;
pub mod form;
pub mod header;
pub mod id;
pub mod inbound;
pub mod invalid;
pub mod json;
pub mod mask;
pub mod media_type;
pub mod message;
pub mod origin;
pub mod overlap;
pub mod path;
pub mod pattern;
pub mod pointer;
pub mod provider;
pub mod redact;
pub mod retry;
pub mod scope;
pub mod service;
pub mod signature;
pub mod target;
pub mod template;
pub mod time;
pub mod token;
pub mod user;
pub mod webhook;
