//! Why there is no answer. The texts are for users: they name no URL, no address and no library.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

use domain::target::TargetError;
use rustls::CertificateError;

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The target is refused, and will be the next time too.
    #[error("blocked: {0}")]
    Blocked(#[from] TargetError),
    /// The call's time ran out.
    #[error("no complete answer within the timeout")]
    Timeout,
    /// The exchange failed on the way.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// How the exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The name has no address.
    #[error("the host's name could not be resolved")]
    Dns,
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// Nothing came back in the time given to connecting.
    #[error("no connection within 5 seconds")]
    ConnectTimeout,
    /// Another reason, such as a missing route.
    #[error("no connection could be made")]
    Connect,
    /// The TLS handshake failed, and why.
    #[error("TLS failed: {0}")]
    Tls(&'static str),
    /// The other end left before its answer was complete.
    #[error("the connection was closed before the answer was complete")]
    Closed,
    /// What came back is not HTTP.
    #[error("the answer was not valid HTTP")]
    Protocol,
}

impl CallError {
    /// Why no connection came about.
    pub(super) fn of_connecting(error: &(dyn Error + 'static)) -> Self {
        if let Some(known) = find::<Self>(error) {
            return *known;
        }
        match find::<rustls::Error>(error) {
            Some(error) => Unreachable::Tls(tls_fault(error)),
            None => closed_or_refused(error).unwrap_or(Unreachable::Connect),
        }
        .into()
    }

    /// Why there is no answer. Only the kind of a client's error is kept: its text may hold the URL.
    pub(super) fn of_exchange(error: &(dyn Error + 'static)) -> Self {
        if let Some(known) = find::<Self>(error) {
            return *known;
        }
        let is_closed =
            |error: &hyper::Error| error.is_incomplete_message() || error.is_closed() || error.is_canceled();
        let is_gone = |error: &h2::Error| error.is_io() || error.is_go_away();
        if let Some(error) = find::<rustls::Error>(error) {
            Unreachable::Tls(tls_fault(error))
        } else if find::<hyper::Error>(error).is_some_and(is_closed) || find::<h2::Error>(error).is_some_and(is_gone) {
            Unreachable::Closed
        } else {
            closed_or_refused(error).unwrap_or(Unreachable::Protocol)
        }
        .into()
    }
}

fn closed_or_refused(error: &(dyn Error + 'static)) -> Option<Unreachable> {
    match find::<io::Error>(error)?.kind() {
        ErrorKind::ConnectionRefused => Some(Unreachable::Refused),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(Unreachable::Closed),
        _ => None,
    }
}

fn tls_fault(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate is not valid yet"
            }
            CertificateError::UnknownIssuer => "the certificate is not signed by a public authority",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another name"
            }
            _ => "the certificate is not valid",
        },
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS",
        rustls::Error::AlertReceived(_) => "the server refused the handshake",
        _ => "no common version or cipher, or a broken handshake",
    }
}

/// The first error of this type among the causes. One that wraps another in an [`io::Error`] hides it from `source`.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(inner) => find(inner),
        None => find(error.source()?),
    }
}
