//! Pages that explain each problem type. The `type` of a problem links to its page.

use axum::{
    extract::Path,
    response::{Html, IntoResponse},
};
use http::header::CONTENT_SECURITY_POLICY;

use crate::http::{
    ApiResult, found,
    problem::kinds::{self, Kind},
};

/// Explains a problem type.
#[utoipa::path(get, path = "/problems/{type}", operation_id = "getProblemType", tag = "meta", security(()),
    params(("type" = String, Path, description = "The last part of a problem's `type`.", example = "validation")),
    responses((status = 200, description = "An HTML page.", body = String, content_type = "text/html")))]
pub async fn page(Path(name): Path<String>) -> ApiResult<impl IntoResponse> {
    let uri = format!("/problems/{name}");
    let kind = kinds::ALL.iter().find(|kind| kind.uri == uri);
    let Kind {
        status,
        title,
        meaning,
        action,
        ..
    } = found(kind, "kind of problem")?;
    let status = status.as_u16();
    let text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p><code>{uri}</code>, status {status}</p>\n\
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
    use super::*;

    #[test]
    fn every_problem_type_of_inbound_urls_has_a_page() {
        let source = include_str!("../../../inbound/src/response.rs");
        let used: Vec<&str> = source
            .split('"')
            .filter(|text| text.starts_with("/problems/"))
            .collect();
        assert!(used.len() > 5, "{used:?}");
        for uri in used {
            assert!(kinds::ALL.iter().any(|kind| kind.uri == uri), "{uri}");
        }
    }
}
