//! Errors of the domain and the platform as problems.

use domain::validation::ValidationErrors;
use platform::{
    egress::{EgressError, Unreachable},
    table::WriteError,
};

use super::{Problem, Reason};

impl From<ValidationErrors> for Problem {
    fn from(problems: ValidationErrors) -> Self {
        Self::validation(problems)
    }
}

macro_rules! internal {
    ($($error:ty),*) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::internal(error)
            }
        }
    )*};
}
internal!(
    platform::table::TableError,
    platform::service_client::NotAttempted,
    platform::queue::QueueError,
    platform::keyring::KeyringError,
    serde_json::Error,
    crate::retry::RetryError
);

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NameTaken(id) if id.is_empty() => {
                Self::conflict("Name already in use. Try again.")
            }
            WriteError::NameTaken(id) => Self::conflict(format!(
                "Name already in use by {id} (names are case-insensitive). Choose another name."
            )),
            WriteError::Changed => {
                Self::conflict("The resource is being changed by another request. Try again.")
            }
            WriteError::Table(error) => Self::internal(error),
        }
    }
}

impl From<EgressError> for Reason {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Blocked(_) => Self::Blocked,
            EgressError::Timeout | EgressError::Unreachable(Unreachable::ConnectTimeout) => {
                Self::Timeout
            }
            EgressError::Unreachable(Unreachable::Refused | Unreachable::Connect) => {
                Self::ConnectionRefused
            }
            EgressError::Unreachable(Unreachable::Dns) => Self::Dns,
            EgressError::Unreachable(Unreachable::Tls(_)) => Self::Tls,
            EgressError::Unreachable(Unreachable::Closed | Unreachable::Protocol) => Self::Closed,
        }
    }
}
