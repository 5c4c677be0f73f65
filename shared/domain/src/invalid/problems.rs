//! What is wrong with a value.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use utoipa::ToSchema;

/// Most problems that a response lists.
const MAX_LISTED: usize = 100;
/// Most bytes of pointers and details that a response lists; the first problem is always listed.
const MAX_LISTED_BYTES: usize = 64 * 1024;

/// One wrong field, or a wrong header.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
pub struct Invalid {
    /// Where the field is in the document: a JSON pointer (RFC 6901), empty for the document
    /// itself. Not for a header.
    #[schema(required = false)]
    pub pointer: String,
    /// The name of the header. Not for a field.
    #[schema(value_type = String, required = false)]
    pub header: Option<&'static str>,
    /// What is wrong with it.
    pub detail: String,
}

impl Serialize for Invalid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_struct("Invalid", 2)?;
        match self.header {
            Some(header) => entry.serialize_field("header", header)?,
            None => entry.serialize_field("pointer", &self.pointer)?,
        }
        entry.serialize_field("detail", &self.detail)?;
        entry.end()
    }
}

/// Everything that is wrong with a value, at least one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Invalid>);

/// What a parser of input returns.
pub type Checked<T> = Result<T, Problems>;

impl Problems {
    /// The value itself is wrong.
    pub fn here(detail: impl Into<String>) -> Self {
        Self(vec![Invalid {
            pointer: String::new(),
            header: None,
            detail: detail.into(),
        }])
    }

    /// What a response lists: at most 100 problems and 64 KiB. If there are more, the last entry,
    /// on the document itself, says how many.
    #[must_use]
    pub fn capped(mut self) -> Self {
        let mut bytes = 0;
        let fits = |problem: &&Invalid| {
            bytes += problem.pointer.len() + problem.detail.len();
            bytes <= MAX_LISTED_BYTES
        };
        let fitting = self.0.iter().take_while(fits).count().max(1);
        let kept = if self.0.len() > MAX_LISTED {
            fitting.min(MAX_LISTED - 1)
        } else {
            fitting
        };
        if kept < self.0.len() {
            let more = self.0.len() - kept;
            self.0.truncate(kept);
            self.0
                .extend(Self::here(format!("{more} more problems are not listed")).0);
        }
        self
    }

    /// The same problems, of a request header.
    #[must_use]
    pub fn of_header(mut self, name: &'static str) -> Self {
        for invalid in &mut self.0 {
            invalid.header = Some(name);
        }
        self
    }

    /// The same problems; those of a header are of a field.
    #[must_use]
    pub fn of_field(mut self, name: &str) -> Self {
        for invalid in &mut self.0 {
            if invalid.header.take().is_some() {
                invalid.pointer = format!("/{name}");
            }
        }
        self
    }

    /// The same problems, seen from the value that holds this one in `token`.
    #[must_use]
    pub fn under(mut self, token: &str) -> Self {
        let token = token.replace('~', "~0").replace('/', "~1");
        for invalid in &mut self.0 {
            invalid.pointer = format!("/{token}{}", invalid.pointer);
        }
        self
    }
}
