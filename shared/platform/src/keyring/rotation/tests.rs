use secrecy::ExposeSecret;

use super::{
    super::fake::{ARN, Crash, NAME, Secret},
    *,
};

const TOKEN: &str = "11111111-1111-4111-8111-111111111111";
const STEPS: [Step; 4] = [
    Step::CreateSecret,
    Step::SetSecret,
    Step::TestSecret,
    Step::FinishSecret,
];
const CONTEXT: AadContext<'_> = AadContext {
    resource: "webhook",
    id: "wh_1",
    field: "secret",
};

/// A secret whose rotation to `TOKEN` has started, and its keyring.
fn started() -> (Secret, Keyring) {
    let ring = Keyring::generate();
    let secret = Secret::holding(&ring);
    secret.begin(TOKEN);
    (secret, ring)
}

fn copy(ring: &Keyring) -> Keyring {
    Keyring::from_json(&ring.to_json()).expect("keyring")
}

async fn run(secret: &Secret, step: Step) -> Result<(), RotateError> {
    secret.keys().rotate(step, ARN, TOKEN).await
}

async fn run_all(secret: &Secret) {
    for step in STEPS {
        run(secret, step).await.expect("step");
    }
}

/// Asserts the result of a complete rotation from `old`.
fn assert_rotated(secret: &Secret, old: &Keyring) {
    assert_eq!(secret.staged("AWSCURRENT").as_deref(), Some(TOKEN));
    let new = secret.ring("AWSCURRENT").expect("keyring");
    let previous = secret.ring("AWSPREVIOUS").expect("keyring");
    assert_eq!(
        previous.to_json().expose_secret(),
        old.to_json().expose_secret()
    );
    assert_ne!(new.current(), old.current());
    assert_eq!(new.token_key("t"), old.token_key("t"));
    for sealed in [old, &new].map(|ring| ring.seal(CONTEXT, "s3cret")) {
        let opened = new.open(CONTEXT, &sealed).expect("opens");
        assert_eq!(opened.expose_secret(), "s3cret");
    }
}

#[tokio::test]
async fn repeated_steps_are_idempotent() {
    let (secret, old) = started();
    for step in STEPS {
        for _ in 0..2 {
            run(&secret, step).await.expect("step");
        }
    }
    assert_rotated(&secret, &old);
    assert_eq!(
        secret.state().writes,
        3,
        "the first keyring, the new one and the stage"
    );
    // Repeats all steps after the rotation is complete.
    run_all(&secret).await;
    assert_rotated(&secret, &old);
    assert_eq!(secret.state().writes, 3);
}

#[tokio::test]
async fn crash_at_any_request_is_repaired_by_a_retry() {
    // Secrets Manager repeats the failed step, or starts over.
    for again_from_the_first in [false, true] {
        for crash in [Crash::Before, Crash::After] {
            let mut calls = 0;
            loop {
                let (secret, old) = started();
                secret.state().crash = Some((calls, crash));
                let mut crashes = 0;
                let mut steps = STEPS.as_slice();
                while let [step, rest @ ..] = steps {
                    if run(&secret, *step).await.is_ok() {
                        steps = rest;
                    } else {
                        crashes += 1;
                        steps = if again_from_the_first { &STEPS } else { steps };
                    }
                }
                assert_rotated(&secret, &old);
                if crashes == 0 {
                    break;
                }
                assert_eq!(
                    (crashes, secret.state().writes),
                    (1, 3),
                    "{crash:?} at {calls}"
                );
                calls += 1;
            }
            assert_eq!(calls, 12, "requests of a complete rotation");
        }
    }
}

#[tokio::test]
async fn concurrent_rotations_create_one_keyring() {
    let (secret, old) = started();
    let (one, two) = (secret.keys(), secret.keys());
    for step in STEPS {
        let (first, second) =
            tokio::join!(one.rotate(step, ARN, TOKEN), two.rotate(step, ARN, TOKEN));
        first.expect("step");
        second.expect("step");
    }
    assert_rotated(&secret, &old);
    assert_eq!(
        secret
            .ring("AWSCURRENT")
            .expect("keyring")
            .to_json()
            .expose_secret()
            .matches(':')
            .count(),
        5
    );
}

#[tokio::test]
async fn old_cached_keyring_decrypts_values_of_the_new_one() {
    let (secret, _) = started();
    let reader = secret.keys();
    let now = crate::clock::now();
    let after = |seconds| now + jiff::SignedDuration::from_secs(seconds);
    let old = reader
        .not_older_than(super::super::CACHE_TTL, now)
        .await
        .expect("keyring")
        .seal(CONTEXT, "old");
    run_all(&secret).await;
    let new = secret
        .keys()
        .get()
        .await
        .expect("keyring")
        .seal(CONTEXT, "new");
    secret.state().reads = 0;
    for (sealed, plain, reads) in [
        (&old, "old", 0),
        (&new, "new", 1),
        (&old, "old", 1),
        (&new, "new", 1),
    ] {
        assert_eq!(
            reader
                .open_at(CONTEXT, sealed, after(6))
                .await
                .expect("opens")
                .expose_secret(),
            plain
        );
        assert_eq!(secret.state().reads, reads);
    }
}

#[tokio::test]
async fn each_rotation_adds_a_key() {
    let (secret, first) = started();
    let sealed = first.seal(CONTEXT, "s3cret");
    for turn in 0..5 {
        let token = format!("22222222-2222-4222-8222-{turn:012}");
        secret.begin(&token);
        for step in STEPS {
            secret
                .keys()
                .rotate(step, NAME, &token)
                .await
                .expect("step");
        }
        assert_eq!(secret.staged("AWSCURRENT").as_ref(), Some(&token));
    }
    let ring = secret.ring("AWSCURRENT").expect("keyring");
    assert_eq!(
        ring.open(CONTEXT, &sealed).expect("opens").expose_secret(),
        "s3cret"
    );
    assert_eq!(ring.token_key("t"), first.token_key("t"));
}

#[tokio::test]
async fn step_for_another_secret_or_version_fails() {
    let other = "33333333-3333-4333-8333-333333333333";
    for step in STEPS {
        let (secret, _) = started();
        let keys = secret.keys();
        let foreign = "arn:aws:secretsmanager:us-east-1:000000000000:secret:other-AbCdEf";
        assert!(matches!(
            keys.rotate(step, foreign, TOKEN).await,
            Err(RotateError::OtherSecret(_))
        ));
        assert!(matches!(
            keys.rotate(step, ARN, other).await,
            Err(RotateError::NotStaged(_))
        ));
        secret.replace(Keyring::generate().to_json().expose_secret());
        let previous = secret.staged("AWSPREVIOUS").expect("version");
        assert!(matches!(
            keys.rotate(step, ARN, &previous).await,
            Err(RotateError::NotPending(_))
        ));
        secret.state().rotation_enabled = false;
        assert!(matches!(
            keys.rotate(step, ARN, TOKEN).await,
            Err(RotateError::NotEnabled)
        ));
        assert_eq!(secret.state().writes, 2, "{step:?}");
        assert_eq!(secret.value(TOKEN), None, "{step:?}");
    }
}

#[tokio::test]
async fn step_before_create_secret_fails() {
    let (secret, _) = started();
    for step in [Step::TestSecret, Step::FinishSecret] {
        let refused = run(&secret, step).await;
        assert!(
            matches!(refused, Err(RotateError::NotCreated(_))),
            "{step:?}"
        );
    }
    assert_ne!(secret.staged("AWSCURRENT").as_deref(), Some(TOKEN));
}

#[tokio::test]
async fn concurrent_change_of_the_current_keyring_loses_no_keys() {
    let (secret, old) = started();
    run(&secret, Step::CreateSecret).await.expect("step");
    let newer = copy(&old).with_new_key();
    secret.replace(newer.to_json().expose_secret());
    let pending = secret.value(TOKEN);
    run(&secret, Step::CreateSecret)
        .await
        .expect("the value stays");
    assert_eq!(secret.value(TOKEN), pending);
    for step in [Step::TestSecret, Step::FinishSecret] {
        let refused = run(&secret, step).await;
        assert!(
            matches!(refused, Err(RotateError::LosesKeys(_))),
            "{step:?}"
        );
    }
    assert!(secret.ring("AWSCURRENT").expect("keyring").extends(&newer));
}

#[tokio::test]
async fn rotation_before_the_bootstrap_creates_the_first_keyring() {
    let secret = Secret::default();
    secret.begin(TOKEN);
    // Runs alone when rotation is enabled without rotating immediately.
    run(&secret, Step::TestSecret)
        .await
        .expect("nothing to test");
    assert_eq!(secret.state().writes, 0);
    run_all(&secret).await;
    let first = secret.ring("AWSCURRENT").expect("keyring");
    let bootstrapped = secret.keys().bootstrap().await.expect("keyring");
    assert_eq!(
        bootstrapped.to_json().expose_secret(),
        first.to_json().expose_secret()
    );
}

#[tokio::test]
async fn bootstrap_during_the_first_rotation_is_not_undone() {
    let secret = Secret::default();
    secret.begin(TOKEN);
    run(&secret, Step::CreateSecret).await.expect("step");
    let first = secret.keys().bootstrap().await.expect("keyring");
    let refused = run(&secret, Step::FinishSecret).await;
    assert!(matches!(refused, Err(RotateError::LosesKeys(_))));
    assert_eq!(
        secret.ring("AWSCURRENT").expect("keyring").token_key("t"),
        first.token_key("t")
    );
}

#[tokio::test]
async fn test_step_accepts_a_copy_of_the_current_keyring() {
    // Secrets Manager runs this step on a copy when rotation is enabled.
    let (secret, old) = started();
    secret
        .keys()
        .put(TOKEN, Some("AWSPENDING"), &old.to_json())
        .await
        .expect("put");
    run(&secret, Step::TestSecret).await.expect("step");
}

#[tokio::test]
async fn invalid_value_is_neither_replaced_nor_made_current() {
    let (secret, _) = started();
    secret
        .keys()
        .put(TOKEN, Some("AWSPENDING"), &"hunter2".to_owned().into())
        .await
        .expect("put");
    for step in [Step::CreateSecret, Step::TestSecret, Step::FinishSecret] {
        let error = run(&secret, step).await.expect_err("no keyring");
        assert!(
            matches!(error, RotateError::Keyring(KeyringError::Malformed(_))),
            "{error}"
        );
    }
    let secret = Secret::default();
    secret.replace("hunter2");
    secret.begin(TOKEN);
    assert!(run(&secret, Step::CreateSecret).await.is_err());
    assert_eq!(secret.value(TOKEN), None);
}

#[tokio::test]
async fn full_keyring_is_rejected_before_storing() {
    let size = |ring: &Keyring| ring.to_json().expose_secret().len();
    let mut ring = Keyring::generate();
    let more = (MAX_SECRET_BYTES - size(&ring)) / (size(&copy(&ring).with_new_key()) - size(&ring));
    assert!(more > 1_100);
    for _ in 1..more {
        ring = ring.with_new_key();
    }
    let secret = Secret::holding(&ring);
    secret.begin(TOKEN);
    run(&secret, Step::CreateSecret)
        .await
        .expect("one more fits");
    let ring = ring.with_new_key();
    let secret = Secret::holding(&ring);
    secret.begin(TOKEN);
    let refused = run(&secret, Step::CreateSecret).await;
    assert!(matches!(refused, Err(RotateError::Full)));
    assert_eq!(secret.value(TOKEN), None);
}
