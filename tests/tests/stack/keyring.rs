//! Rotation of the keyring, in the four steps of Secrets Manager. The emulator only moves the
//! stages, so these tests invoke each step twice, as Secrets Manager might.

use serde_json::{Value, json};
use standardwebhooks::Webhook as Verifier;
use tests::{
    receiver::Receiver,
    stack::{Stack, text},
};

/// The version that has a stage.
async fn staged(stack: &Stack, secret: &str, stage: &str) -> Option<String> {
    let described = stack
        .aws(
            "secretsmanager.DescribeSecret",
            &json!({"SecretId": secret}),
        )
        .await;
    let versions = described["VersionIdsToStages"]
        .as_object()
        .expect("versions");
    let has = |stages: &Value| {
        stages
            .as_array()
            .is_some_and(|stages| stages.contains(&json!(stage)))
    };
    versions
        .iter()
        .find(|(_, stages)| has(stages))
        .map(|(version, _)| version.clone())
}

async fn value(stack: &Stack, secret: &str, version: &str) -> String {
    let wanted = json!({"SecretId": secret, "VersionId": version});
    text(
        &stack.aws("secretsmanager.GetSecretValue", &wanted).await,
        "SecretString",
    )
}

#[tokio::test]
async fn values_encrypted_before_a_rotation_decrypt_after_it() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let before = stack
        .webhook()
        .url(receiver.url_of("/{secret.path}"))
        .set("secrets", json!({"path": "hidden"}))
        .create()
        .await;

    let secrets = stack.aws("secretsmanager.ListSecrets", &json!({})).await;
    let secret = text(&secrets["SecretList"][0], "ARN");
    let (current, pending) = (
        "11111111-0d2a-4d55-9a5e-7c8f6b2d1e00".to_owned(),
        "22222222-0d2a-4d55-9a5e-7c8f6b2d1e00".to_owned(),
    );
    // Enables rotation. The emulator makes a copy of the keyring the current version.
    let rotate = json!({"SecretId": secret, "ClientRequestToken": current});
    stack.aws("secretsmanager.RotateSecret", &rotate).await;
    // Secrets Manager starts a rotation with a pending version without a value.
    let empty = json!({
        "SecretId": secret, "ClientRequestToken": pending, "VersionStages": ["AWSPENDING"], "SecretString": "",
    });
    stack.aws("secretsmanager.PutSecretValue", &empty).await;

    let mut made = None;
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        for time in ["once", "again"] {
            let event = json!({"Step": step, "SecretId": secret, "ClientRequestToken": pending});
            let done = stack.invoke("rotation", &event).await;
            assert_eq!(
                done.header("x-amz-function-error"),
                "",
                "{step} {time}: {}",
                done.text
            );
            let (now, was) = (
                staged(&stack, &secret, "AWSCURRENT").await,
                staged(&stack, &secret, "AWSPREVIOUS").await,
            );
            if step == "finishSecret" {
                assert_eq!(
                    (now.as_ref(), was.as_ref()),
                    (Some(&pending), Some(&current)),
                    "{step} {time}"
                );
            } else {
                assert_eq!(now.as_ref(), Some(&current), "{step} {time}");
                assert_eq!(
                    staged(&stack, &secret, "AWSPENDING").await.as_ref(),
                    Some(&pending),
                    "{step} {time}"
                );
            }
            let value = value(&stack, &secret, &pending).await;
            assert_eq!(
                made.get_or_insert_with(|| value.clone()),
                &value,
                "{step} {time}: it is created once"
            );
        }
    }
    let old = value(&stack, &secret, &current).await;
    assert!(
        made.is_some_and(|new| new.len() > old.len()),
        "one more key"
    );

    let after = stack
        .webhook()
        .url(receiver.url_of("/after"))
        .create()
        .await;
    stack.publish("message", json!({})).await;
    for request in receiver.wait_for(2).await {
        let secret = if request.path == "/hidden" {
            &before.secret
        } else {
            &after.secret
        };
        let verified = Verifier::new(secret)
            .expect("a secret")
            .verify(&request.body, &request.headers);
        assert!(verified.is_ok(), "{request:?}");
    }
    stack.get_path("/v1/webhooks?limit=1").await.expect(200);
}
