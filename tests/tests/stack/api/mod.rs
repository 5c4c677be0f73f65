//! The HTTP API's conventions, the same on every route.

mod auth;
mod lists;
mod problems;
mod resource;
