use proptest::prelude::*;

use super::*;

const PLACE: AadContext<'_> = AadContext {
    resource: "webhook",
    id: "wh_1",
    field: "secret",
};

fn fixed() -> Keyring {
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    let json = format!(r#"{{"current":"k1","keys":{{"k1":"{zeros}"}},"pepper":"{zeros}"}}"#);
    Keyring::from_json(&json.into()).expect("keyring")
}

fn opened(ring: &Keyring, place: AadContext<'_>, sealed: &str) -> Result<String, EncryptionError> {
    ring.open(place, sealed)
        .map(|plain| plain.expose_secret().to_owned())
}

#[test]
fn keyring_round_trips() {
    let ring = Keyring::generate();
    let sealed = ring.seal(PLACE, "old");
    let more = Keyring::from_json(&ring.to_json())
        .expect("keyring")
        .with_new_key();
    assert_ne!(more.current(), ring.current());
    assert_eq!(opened(&more, PLACE, &sealed).as_deref(), Ok("old"));
    assert_eq!(more.token_key("t"), ring.token_key("t"));
    let newer = more.seal(PLACE, "new");
    assert_eq!(
        opened(&ring, PLACE, &newer),
        Err(EncryptionError::UnknownKey(more.current().to_owned()))
    );
    let read = Keyring::from_json(&more.to_json()).expect("keyring");
    assert_eq!(
        read.to_json().expose_secret(),
        more.to_json().expose_secret()
    );
}

#[test]
fn invalid_keyring_is_rejected() {
    let key = "A".repeat(43);
    for wrong in [
        String::new(),
        "{}".into(),
        format!(r#"{{"current":"a","keys":{{"b":"{key}"}},"pepper":"{key}"}}"#),
        format!(r#"{{"current":"a.b","keys":{{"a.b":"{key}"}},"pepper":"{key}"}}"#),
        format!(r#"{{"current":"a","keys":{{"a":"AA"}},"pepper":"{key}"}}"#),
    ] {
        assert_eq!(
            Keyring::from_json(&wrong.clone().into()).expect_err("no keyring"),
            ParseKeyringError,
            "{wrong}"
        );
    }
}

#[test]
fn keyring_extends_its_predecessors() {
    let copy = |ring: &Keyring| Keyring::from_json(&ring.to_json()).expect("keyring");
    let first = fixed();
    let second = copy(&first).with_new_key();
    assert!(first.extends(&first) && second.extends(&first) && !first.extends(&second));
    assert!(!copy(&first).with_new_key().extends(&second), "another key");
    assert!(
        !Keyring {
            pepper: new_key(),
            ..copy(&second)
        }
        .extends(&second),
        "another pepper"
    );
    let mut swapped = copy(&second);
    swapped.keys.insert("k1".into(), new_key());
    assert!(!swapped.extends(&first), "another key of the same id");
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", fixed());
    assert!(
        shown.contains("REDACTED") && !shown.contains("0, 0"),
        "{shown}"
    );
}

/// Test vectors from an independent implementation of AES-GCM and HMAC.
#[test]
fn stored_formats_are_stable() {
    let sealed = "k1.AAECAwQFBgcICQoL-_hQIGWJ8kJohUhQzJuX8-Q6yiJwlQ";
    assert_eq!(opened(&fixed(), PLACE, sealed).as_deref(), Ok("s3cret"));
    assert_eq!(
        fixed().token_key("token"),
        "OmpwtX-RnZIYvTXCT5jD565zPmCy6MgcO-j8894j4GU"
    );
}

proptest! {
    #[test]
    fn modified_or_moved_value_is_rejected(plain in any::<String>(), flip in any::<prop::sample::Index>()) {
        let ring = Keyring::generate();
        let sealed = ring.seal(PLACE, &plain);
        prop_assert_eq!(opened(&ring, PLACE, &sealed), Ok(plain.clone()));
        prop_assert_ne!(&ring.seal(PLACE, &plain), &sealed);
        for place in [
            AadContext { resource: "account", ..PLACE },
            AadContext { id: "wh_2", ..PLACE },
            AadContext { field: "url", ..PLACE },
        ] {
            prop_assert_eq!(opened(&ring, place, &sealed), Err(EncryptionError::Mismatch));
        }
        let (id, text) = sealed.split_once('.').expect("dot");
        let mut whole = URL_SAFE_NO_PAD.decode(text).expect("base64");
        let bit = flip.index(whole.len() * 8);
        whole[bit / 8] ^= 1 << (bit % 8);
        let changed = format!("{id}.{}", URL_SAFE_NO_PAD.encode(whole));
        prop_assert_eq!(opened(&ring, PLACE, &changed), Err(EncryptionError::Mismatch));
    }

    #[test]
    fn key_id_is_authenticated(plain in any::<String>()) {
        // The same key under two IDs: a value with a changed ID can't be decrypted.
        let mut ring = fixed();
        ring.keys.insert("k2".into(), Key::new(Box::new([0; 32])));
        let renamed = ring.seal(PLACE, &plain).replacen("k1.", "k2.", 1);
        prop_assert_eq!(opened(&ring, PLACE, &renamed), Err(EncryptionError::Mismatch));
    }

    #[test]
    fn arbitrary_text_is_rejected_without_panic(text in any::<String>()) {
        prop_assert!(fixed().open(PLACE, &text).is_err());
        let keyed = format!("k1.{text}");
        prop_assert!(fixed().open(PLACE, &keyed).is_err());
    }
}
