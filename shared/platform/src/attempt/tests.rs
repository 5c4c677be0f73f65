use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::*;

#[tokio::test]
async fn response_is_decoded_with_its_charset_and_masked() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    let marked = utf16("\u{feff}é S3CR3T-S3CR3T");
    for (kind, body, truncated, expected) in [
        (
            "text/plain; charset=windows-1252",
            &b"Jos\xe9 \x80"[..],
            false,
            "José €",
        ),
        ("text/plain", "é".as_bytes(), false, "é"),
        ("text/plain", b"Jos\xe9 x", false, "Jos\u{fffd} x"),
        ("text/plain", &marked, false, "é •••"),
        (
            "text/plain; charset=utf-16be",
            &utf16("日本")[..3],
            true,
            "日",
        ),
        (
            "text/plain; charset=iso-8859-1",
            b"\xe9 S3CR3T-S3CR3T",
            false,
            "\u{fffd} •••",
        ),
        // In UTF-16 these bytes are other characters.
        (
            "text/plain; charset=utf-16le",
            b"a S3CR3T-S3CR3T",
            false,
            "a •••",
        ),
        ("text/plain", b"", false, ""),
    ] {
        let response = EgressResponse {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]),
            body: body.to_vec(),
            truncated,
            incomplete: None,
        };
        let mut secrets = Secrets::default();
        secrets.add("S3CR3T-S3CR3T");
        assert_eq!(
            redacted(&response, &Redactor::new(secrets)).await,
            expected,
            "{kind}"
        );
    }
}
