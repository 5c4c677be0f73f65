//! Pages that explain each problem type. The `type` of a problem links to its page.

use axum::{
    extract::Path,
    response::{Html, IntoResponse},
};
use http::header::CONTENT_SECURITY_POLICY;

use crate::http::{ApiResult, Problem};

/// The explanation of a problem type.
struct Kind {
    /// The last part of `type`.
    name: &'static str,
    status: u16,
    title: &'static str,
    meaning: &'static str,
    action: &'static str,
}

const KINDS: [Kind; 15] = [
    Kind {
        name: "bad-request",
        status: 400,
        title: "Bad request",
        meaning: "The body is not JSON, or the cursor was not returned by this list.",
        action: "Send valid JSON. Pass next_cursor unchanged, with the same path and filters.",
    },
    Kind {
        name: "unauthorized",
        status: 401,
        title: "Unauthorized",
        meaning: "The token is missing, malformed, unknown, revoked or expired. At an inbound URL: the signature, secret \
            or timestamp is missing or invalid.",
        action: "Send Authorization: Bearer <token> with the token of an active credential. Check the clock and the secret \
            that signs requests to an inbound URL.",
    },
    Kind {
        name: "forbidden",
        status: 403,
        title: "Forbidden",
        meaning: "The credential lacks the scope that the detail names, or the user of the inbound URL is inactive.",
        action: "Use a credential that has the scope, or add the scope to this one.",
    },
    Kind {
        name: "address-not-allowed",
        status: 403,
        title: "Address not allowed",
        meaning: "The credential can't be used from this IP address.",
        action: "Send requests from one of the credential's allowed_ips, or add this address to them.",
    },
    Kind {
        name: "not-found",
        status: 404,
        title: "Not found",
        meaning: "No resource has this ID, or no route has this path.",
        action: "Check the ID and the path. Deleted and expired resources are not found either.",
    },
    Kind {
        name: "method-not-allowed",
        status: 405,
        title: "Method not allowed",
        meaning: "The path does not support the method.",
        action: "Use one of the methods in the Allow header. OPTIONS is not supported, as cross-origin requests are off: \
            call the API from a server.",
    },
    Kind {
        name: "conflict",
        status: 409,
        title: "Conflict",
        meaning: "A name is already in use, another resource depends on this one, or its state does not allow the request.",
        action: "The detail names the cause. If another request was changing the resource, try again.",
    },
    Kind {
        name: "stale",
        status: 412,
        title: "Precondition failed",
        meaning: "The resource has changed since the ETag in If-Match was read.",
        action: "Read the resource again, and repeat the change with its new ETag.",
    },
    Kind {
        name: "too-large",
        status: 413,
        title: "Content too large",
        meaning: "The body is larger than 256 KiB, or an event's stored form is larger than 350 KiB.",
        action: "Send less data. Store large files elsewhere and send a link.",
    },
    Kind {
        name: "unsupported-media-type",
        status: 415,
        title: "Unsupported media type",
        meaning: "The body's Content-Type is not JSON.",
        action: "Send Content-Type: application/json.",
    },
    Kind {
        name: "validation",
        status: 422,
        title: "The request is not valid",
        meaning: "Fields, parameters or headers are missing, unknown or invalid.",
        action: "Each entry of errors names one by a JSON pointer (RFC 6901) or as a header, and says what is allowed. At \
            most 100 are listed; the last entry then says how many more there are.",
    },
    Kind {
        name: "loop",
        status: 508,
        title: "Loop detected",
        meaning: "The request exceeded the maximum number of hops through Tieline (3, counted by the header tieline-hops): \
            a webhook leads back to its own event.",
        action: "Find the webhook that sends to this deployment, and change or disable it.",
    },
    Kind {
        name: "internal",
        status: 500,
        title: "Internal error",
        meaning: "Tieline failed.",
        action: "Try again. If the error persists, report it and quote request_id.",
    },
    Kind {
        name: "bad-gateway",
        status: 502,
        title: "Bad gateway",
        meaning: "The request to a third party failed: its URL is blocked, its response can't be returned, or its \
            account could not get a token.",
        action: "The detail names the cause. Check the service and its account.",
    },
    Kind {
        name: "gateway-timeout",
        status: 504,
        title: "Gateway timeout",
        meaning: "A third party sent no complete response within the timeout; reason says why.",
        action: "Check whether the service is up and reachable, or raise its timeout_seconds.",
    },
];

/// Explains a problem type.
#[utoipa::path(get, path = "/problems/{type}", operation_id = "getProblemType", tag = "meta", security(()),
    params(("type" = String, Path, description = "The last part of a problem's `type`.", example = "validation")),
    responses((status = 200, description = "An HTML page.", body = String, content_type = "text/html")))]
pub async fn page(Path(name): Path<String>) -> ApiResult<impl IntoResponse> {
    let kind = KINDS
        .iter()
        .find(|kind| kind.name == name)
        .ok_or_else(|| Problem::not_found("kind of problem"))?;
    let Kind {
        name,
        status,
        title,
        meaning,
        action,
    } = kind;
    let text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p><code>/problems/{name}</code>, status {status}</p>\n\
         <h2>What it means</h2>\n<p>{}</p>\n<h2>What to do</h2>\n<p>{}</p>\n</body>\n</html>\n",
        text(meaning),
        text(action)
    );
    Ok((
        [(
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        )],
        Html(page),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_type_has_a_page() {
        let sources = [
            include_str!("../http/problem/mod.rs"),
            include_str!("../../../inbound/src/response.rs"),
        ];
        let used: BTreeSet<&str> = sources
            .into_iter()
            .flat_map(|source| source.split("\"/problems/").skip(1))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let known: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert!(
            used.len() > 10 && used.is_subset(&known),
            "{used:?} without a page in KINDS"
        );
    }
}
