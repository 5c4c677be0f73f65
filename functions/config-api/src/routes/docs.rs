//! The API reference as a web page: Redoc with the OpenAPI document. The script is vendored;
//! nothing is loaded from other hosts.

use axum::response::{Html, IntoResponse};
use http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// URLs are relative because the public URL may have a path.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tieline API</title>
<link rel="icon" href="data:,">
<style>body { margin: 0 }</style>
</head>
<body>
<redoc spec-url="openapi.json" required-props-first="true"></redoc>
<script src="docs/redoc.js"></script>
</body>
</html>
"#;

/// Redoc 2.5.4, gzipped (`assets/redoc.LICENSE.txt`).
const REDOC: &[u8] = include_bytes!("../../assets/redoc.standalone.js.gz");

/// Allows scripts from this host only. Redoc needs inline styles and a worker for its search.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the API reference as a web page.
#[utoipa::path(get, path = "/docs", operation_id = "getDocs", tag = "meta", security(()),
    responses((status = 200, description = "An HTML page.", body = String, content_type = "text/html")))]
pub async fn page() -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}

/// Returns the script of the API reference.
#[utoipa::path(get, path = "/docs/redoc.js", operation_id = "getDocsScript", tag = "meta", security(()),
    responses((status = 200, description = "A script, compressed with gzip.", body = String,
        content_type = "text/javascript")))]
pub async fn script() -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, "text/javascript"),
            (CONTENT_ENCODING, "gzip"),
        ],
        REDOC,
    )
}
