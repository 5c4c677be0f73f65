//! Problem types, each with the page that explains it.

use http::StatusCode;

/// A problem type, and its explanation.
#[derive(Debug)]
pub struct Kind {
    /// The `type` of its problems: the path of its page.
    pub uri: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// Summary.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub action: &'static str,
}

pub(super) const BAD_REQUEST: Kind = Kind {
    uri: "/problems/bad-request",
    status: StatusCode::BAD_REQUEST,
    title: "Bad request",
    meaning: "The body is not JSON, or the cursor was not returned by this list.",
    action: "Send valid JSON. Pass next_cursor unchanged, with the same path and filters.",
};
pub(super) const UNAUTHORIZED: Kind = Kind {
    uri: "/problems/unauthorized",
    status: StatusCode::UNAUTHORIZED,
    title: "Unauthorized",
    meaning: "The token is missing, malformed, unknown, revoked or expired. At an inbound URL: the signature, secret \
        or timestamp is missing or invalid.",
    action: "Send Authorization: Bearer <token> with the token of an active credential. Check the clock and the secret \
        that signs requests to an inbound URL.",
};
pub(super) const FORBIDDEN: Kind = Kind {
    uri: "/problems/forbidden",
    status: StatusCode::FORBIDDEN,
    title: "Forbidden",
    meaning: "The credential lacks the scope that the detail names, or the user of the inbound URL is inactive.",
    action: "Use a credential that has the scope, or add the scope to this one.",
};
pub(super) const ADDRESS_NOT_ALLOWED: Kind = Kind {
    uri: "/problems/address-not-allowed",
    status: StatusCode::FORBIDDEN,
    title: "Address not allowed",
    meaning: "The credential can't be used from this IP address.",
    action: "Send requests from one of the credential's allowed_ips, or add this address to them.",
};
pub(super) const NOT_FOUND: Kind = Kind {
    uri: "/problems/not-found",
    status: StatusCode::NOT_FOUND,
    title: "Not found",
    meaning: "No resource has this ID, or no route has this path.",
    action: "Check the ID and the path. Deleted and expired resources are not found either.",
};
pub(super) const METHOD_NOT_ALLOWED: Kind = Kind {
    uri: "/problems/method-not-allowed",
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "Method not allowed",
    meaning: "The path does not support the method.",
    action: "Use one of the methods in the Allow header. OPTIONS is not supported, as cross-origin requests are off: \
        call the API from a server.",
};
pub(super) const CONFLICT: Kind = Kind {
    uri: "/problems/conflict",
    status: StatusCode::CONFLICT,
    title: "Conflict",
    meaning: "A name is already in use, another resource depends on this one, or its state does not allow the request.",
    action: "The detail names the cause. If another request was changing the resource, try again.",
};
pub(super) const STALE: Kind = Kind {
    uri: "/problems/stale",
    status: StatusCode::PRECONDITION_FAILED,
    title: "Precondition failed",
    meaning: "The resource has changed since the ETag in If-Match was read.",
    action: "Read the resource again, and repeat the change with its new ETag.",
};
pub(super) const TOO_LARGE: Kind = Kind {
    uri: "/problems/too-large",
    status: StatusCode::PAYLOAD_TOO_LARGE,
    title: "Content too large",
    meaning: "The body is larger than 256 KiB, or an event's stored form is larger than 350 KiB.",
    action: "Send less data. Store large files elsewhere and send a link.",
};
pub(super) const UNSUPPORTED_MEDIA_TYPE: Kind = Kind {
    uri: "/problems/unsupported-media-type",
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    title: "Unsupported media type",
    meaning: "The body's Content-Type is not JSON.",
    action: "Send Content-Type: application/json.",
};
pub(super) const VALIDATION: Kind = Kind {
    uri: "/problems/validation",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The request is not valid",
    meaning: "Fields, parameters or headers are missing, unknown or invalid.",
    action: "Each entry of errors names one by a JSON pointer (RFC 6901) or as a header, and says what is allowed. At \
        most 100 are listed; the last entry then says how many more there are.",
};
pub(super) const LOOP: Kind = Kind {
    uri: "/problems/loop",
    status: StatusCode::LOOP_DETECTED,
    title: "Loop detected",
    meaning: "The request has passed through Tieline 3 or more times, because a webhook leads back to its own event, or its \
        tieline-hops header is not a number from 0 to 2.",
    action: "Find the webhook that sends to this deployment, and change or disable it.",
};
pub(super) const INTERNAL: Kind = Kind {
    uri: "/problems/internal",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "Internal error",
    meaning: "Tieline failed.",
    action: "Try again. If the error persists, report it and quote request_id.",
};
pub(super) const BAD_GATEWAY: Kind = Kind {
    uri: "/problems/bad-gateway",
    status: StatusCode::BAD_GATEWAY,
    title: "Bad gateway",
    meaning: "The request to a third party failed: its URL is blocked, its response can't be returned, or its \
        account could not get a token.",
    action: "The detail names the cause. Check the service and its account.",
};
pub(super) const GATEWAY_TIMEOUT: Kind = Kind {
    uri: "/problems/gateway-timeout",
    status: StatusCode::GATEWAY_TIMEOUT,
    title: "Gateway timeout",
    meaning: "A third party sent no complete response within the timeout; reason says why.",
    action: "Check whether the service is up and reachable, or raise its timeout_seconds.",
};

/// All problem types.
pub const ALL: [Kind; 15] = [
    BAD_REQUEST,
    UNAUTHORIZED,
    FORBIDDEN,
    ADDRESS_NOT_ALLOWED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    CONFLICT,
    STALE,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION,
    LOOP,
    INTERNAL,
    BAD_GATEWAY,
    GATEWAY_TIMEOUT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_types_are_listed() {
        let defined = include_str!("kinds.rs").matches(concat!(": Kind = ", "Kind {"));
        assert_eq!(defined.count(), ALL.len());
    }
}
