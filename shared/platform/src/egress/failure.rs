//! Errors of outgoing requests. The texts are shown to users: they contain no URLs, addresses or
//! library names.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

use domain::egress_policy::TargetError;
use rustls::CertificateError;

/// Why a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The target is not allowed. Retrying does not help.
    #[error("blocked: {0}")]
    Blocked(#[from] TargetError),
    /// The request's timeout passed.
    #[error("no complete response within the timeout")]
    Timeout,
    /// The connection failed.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// How the connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The name has no address.
    #[error("the host's name could not be resolved")]
    Dns,
    /// The connection was refused.
    #[error("the connection was refused")]
    Refused,
    /// No connection within the connect timeout.
    #[error("no connection within 5 seconds")]
    ConnectTimeout,
    /// Another reason, such as a missing route.
    #[error("the connection failed")]
    Connect,
    /// The TLS handshake failed, with the reason.
    #[error("TLS failed: {0}")]
    Tls(&'static str),
    /// The connection closed before the response was complete.
    #[error("the connection was closed before the response was complete")]
    Closed,
    /// The response is not HTTP.
    #[error("the response was not valid HTTP")]
    Protocol,
}

/// Drops the text of a client's error, which contains the URL.
impl From<reqwest::Error> for EgressError {
    fn from(error: reqwest::Error) -> Self {
        if let Some(refusal) = find::<TargetError>(&error) {
            return Self::Blocked(*refusal);
        }
        let unreachable = if error.is_dns() {
            Unreachable::Dns
        } else if let Some(error) = find::<rustls::Error>(&error) {
            Unreachable::Tls(tls_fault(error))
        } else if error.is_connect() && error.is_timeout() {
            Unreachable::ConnectTimeout
        } else {
            broken(&error)
        };
        unreachable.into()
    }
}

fn broken(error: &reqwest::Error) -> Unreachable {
    let is_closed = |error: &hyper::Error| {
        error.is_incomplete_message() || error.is_closed() || error.is_canceled()
    };
    let is_gone = |error: &h2::Error| error.is_io() || error.is_go_away();
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => Unreachable::Refused,
        Some(
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof,
        ) => Unreachable::Closed,
        _ if find(error).is_some_and(is_closed) || find(error).is_some_and(is_gone) => {
            Unreachable::Closed
        }
        _ if error.is_connect() || error.is_builder() => Unreachable::Connect,
        _ => Unreachable::Protocol,
    }
}

fn tls_fault(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate is not valid yet"
            }
            CertificateError::UnknownIssuer => {
                "the certificate is not signed by a trusted authority"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for a different host name"
            }
            _ => "the certificate is not valid",
        },
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS",
        rustls::Error::AlertReceived(_) => "the server refused the handshake",
        _ => "no common version or cipher, or a broken handshake",
    }
}

/// Finds the first error of this type among the causes. [`io::Error`] hides the error that it wraps
/// from `source`.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match wrapped {
        Some(inner) => find(inner),
        None => find(error.source()?),
    }
}
