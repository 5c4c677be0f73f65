//! The first admin.

use serde_json::json;
use tests::stack::Stack;

#[tokio::test]
async fn second_bootstrap_is_rejected() {
    let stack = Stack::get();
    let refused = stack
        .invoke("rotation", &json!({"action": "bootstrap"}))
        .await;
    assert_eq!(
        refused.header("x-amz-function-error"),
        "Unhandled",
        "{}",
        refused.text
    );
    let message = refused.body["errorMessage"].as_str().expect("message");
    assert!(message.contains("already exists"), "{message}");
    stack.get_path("/v1/webhooks?limit=1").await.expect(200);
}

#[tokio::test]
async fn reissued_token_revokes_the_former_one() {
    let stack = Stack::get();
    assert_ne!(stack.token(), stack.former_token());
    stack.get_path("/v1/webhooks?limit=1").await.expect(200);
    stack
        .with_token(stack.former_token())
        .get_path("/v1/webhooks?limit=1")
        .await
        .problem(401);
}
