//! Conventions of the HTTP API that apply to every route.

mod auth;
mod lists;
mod problems;
mod resource;
