//! Targets that webhooks must not reach.

use tests::stack::Stack;

#[tokio::test]
async fn webhook_to_a_forbidden_target_is_not_created() {
    let stack = Stack::get();
    for url in [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0.0.0.0/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://localhost/",
        "https://a.localhost/",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://user:pass@example.com/",
        "https://example.com:22/",
        "https://example.com:0/",
        // On this machine, only the allowed ports can be reached.
        "http://127.0.0.1:8999/",
        "http://127.0.0.1:10000/",
        "http://localhost:9000/",
        "http://127.0.0.2:9000/",
        // Tags are allowed only after the authority.
        "https://{host}/",
        "https://example.com{port}/",
        "https:///path",
        "example.com/hook",
        "",
    ] {
        let response = stack.webhook().url(url).try_create().await;
        assert_eq!(response.status, 422, "{url}: {}", response.text);
        assert_eq!(response.pointers(), ["/url"], "{url}");
    }
}

#[tokio::test]
async fn change_is_validated_like_a_creation() {
    let stack = Stack::get();
    let webhook = stack.webhook().url("https://example.com/").create().await;
    let response = stack
        .patch(
            &webhook.path(""),
            serde_json::json!({"url": "https://169.254.169.254/"}),
        )
        .await;
    assert_eq!(response.pointers(), ["/url"]);
    assert_eq!(webhook.read().await["url"], "https://example.com/");
}
