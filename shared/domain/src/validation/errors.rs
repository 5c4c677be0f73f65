//! Validation errors.

use std::fmt::Display;

/// Maximum number of errors listed in a response.
const MAX_LISTED: usize = 100;
/// Maximum total size of pointers and details in a response, in bytes. The first error is always
/// listed.
const MAX_LISTED_BYTES: usize = 64 * 1024;

/// An invalid field or header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field, empty for the document itself. Absent for a header.
    pub pointer: String,
    /// Name of the header. Absent for a field.
    pub header: Option<&'static str>,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

/// All errors of a value, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationErrors(pub Vec<FieldError>);

/// Result of parsing a value.
pub type Validated<T> = Result<T, ValidationErrors>;

impl ValidationErrors {
    /// An error of the value itself.
    pub fn here(detail: impl Into<String>) -> Self {
        Self(vec![FieldError {
            pointer: String::new(),
            header: None,
            detail: detail.into(),
        }])
    }

    /// Fails with these errors, if there are any.
    ///
    /// # Errors
    /// Returns all of them.
    pub fn check(problems: Vec<FieldError>) -> Validated<()> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self(problems))
        }
    }

    /// Returns both values, or the errors of both.
    ///
    /// # Errors
    /// If one of them has errors.
    pub fn both<A, B>(one: Validated<A>, other: Validated<B>) -> Validated<(A, B)> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (one, other) => {
                let problems = [one.err(), other.err()].into_iter().flatten();
                Err(Self(problems.flat_map(|problems| problems.0).collect()))
            }
        }
    }

    /// Limits the errors to 100 entries and 64 KiB. If some are left out, a last entry on the
    /// document itself says how many.
    #[must_use]
    pub fn capped(mut self) -> Self {
        let mut bytes = 0;
        let fits = |problem: &&FieldError| {
            bytes += problem.pointer.len() + problem.detail.len();
            bytes <= MAX_LISTED_BYTES
        };
        let fitting = self.0.iter().take_while(fits).count().max(1);
        let listed = if self.0.len() > MAX_LISTED {
            fitting.min(MAX_LISTED - 1)
        } else {
            fitting
        };
        if listed < self.0.len() {
            let more = self.0.len() - listed;
            self.0.truncate(listed);
            self.0
                .extend(Self::here(format!("{more} more errors are not listed")).0);
        }
        self
    }

    /// Attributes the errors to a request header.
    #[must_use]
    pub fn of_header(mut self, name: &'static str) -> Self {
        for invalid in &mut self.0 {
            invalid.header = Some(name);
        }
        self
    }

    /// Attributes the errors of a header to a field.
    #[must_use]
    pub fn of_field(mut self, name: &str) -> Self {
        for invalid in &mut self.0 {
            if invalid.header.take().is_some() {
                invalid.pointer = format!("/{name}");
            }
        }
        self
    }

    /// Prefixes the pointers with `token`, the position of this value in its parent.
    #[must_use]
    pub fn under(mut self, token: &str) -> Self {
        let token = token.replace('~', "~0").replace('/', "~1");
        for invalid in &mut self.0 {
            invalid.pointer = format!("/{token}{}", invalid.pointer);
        }
        self
    }
}

/// An error whose text is written for clients: what is wrong, and what is allowed. It converts to
/// the [`ValidationErrors`] of the value itself.
///
/// Errors of libraries don't have it: code that gets one describes it in its own words.
pub trait ClientError: Display {}

impl<E: ClientError> From<E> for ValidationErrors {
    fn from(error: E) -> Self {
        Self::here(error.to_string())
    }
}
