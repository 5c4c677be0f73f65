//! What Tieline decides: pure functions over plain data.
//!
//! Nothing here does input or output, reads a clock or draws randomness: times and random values are arguments, and what
//! is to be done is returned. The functions under `functions/` act on it through `shared/platform`.

pub mod header;
pub mod id;
pub mod invalid;
pub mod path;
pub mod target;
