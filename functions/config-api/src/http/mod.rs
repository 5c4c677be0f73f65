//! What every route shares: problems, authentication, documents, queries, entity tags, and the frame around an answer.

pub mod access;
pub mod body;
pub mod etag;
pub mod frame;
pub mod patch;
pub mod problem;
pub mod query;

pub use self::{
    body::Document,
    problem::{Answer, Problem},
};
