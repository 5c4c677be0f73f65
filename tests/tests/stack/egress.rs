//! Where webhooks may not go.

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
        // Of the ports on this machine, only those that are allowed.
        "http://127.0.0.1:8999/",
        "http://127.0.0.1:10000/",
        "http://localhost:9000/",
        "http://127.0.0.2:9000/",
        // Tags come after the authority.
        "https://{host}/",
        "https://example.com{port}/",
        "https:///path",
        "example.com/hook",
        "",
    ] {
        let answer = stack.webhook().url(url).try_create().await;
        assert_eq!(answer.status, 422, "{url}: {}", answer.text);
        assert_eq!(answer.pointers(), ["/url"], "{url}");
    }
}

#[tokio::test]
async fn change_is_validated_like_a_creation() {
    let stack = Stack::get();
    let webhook = stack.webhook().url("https://example.com/").create().await;
    let answer = stack
        .patch(
            &webhook.path(""),
            serde_json::json!({"url": "https://169.254.169.254/"}),
        )
        .await;
    assert_eq!(answer.pointers(), ["/url"]);
    assert_eq!(webhook.read().await["url"], "https://example.com/");
}
