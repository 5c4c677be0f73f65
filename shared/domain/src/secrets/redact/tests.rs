use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn redactor<const N: usize>(secrets: [&str; N]) -> Redactor {
    let mut found = Secrets::default();
    for secret in secrets {
        found.add(secret);
    }
    Redactor::new(found)
}

#[test]
fn secret_starts_are_masked_only_in_truncated_texts() {
    let redactor = redactor([
        "alpha-and-omega",
        "omega-and-alpha",
        "abcd",
        "cdef",
        "a/b=c&d e",
    ]);
    for (text, whole, cut) in [
        ("alpha-and-omega", "•••", "•••"),
        ("alpha-and-omega-and-alpha", "•••", "•••"),
        ("abcdef abcd", "••• •••", "••• •••"),
        (
            "ends with alpha-and-om",
            "ends with alpha-and-om",
            "ends with •••",
        ),
        (
            "ends with omega-and",
            "ends with omega-and",
            "ends with •••",
        ),
        ("ends with alpha-an", "ends with alpha-an", "ends with •••"),
        (
            "ends with alpha-a",
            "ends with alpha-a",
            "ends with alpha-a",
        ),
        (
            "alpha-and-om goes on",
            "alpha-and-om goes on",
            "alpha-and-om goes on",
        ),
        ("alpha-alpha-and", "alpha-alpha-and", "alpha-•••"),
        ("x=a%2Fb%3Dc%26d%20", "x=a%2Fb%3Dc%26d%20", "x=•••"),
        (
            "x=a%2Fb%3Dc%26d%2",
            "x=a%2Fb%3Dc%26d%2",
            "x=a%2Fb%3Dc%26d%2",
        ),
        ("alpha-and%2", "alpha-and%2", "•••"),
        ("alpha-and\\u006", "alpha-and\\u006", "•••"),
        ("50%", "50%", "50%"),
        ("", "", ""),
    ] {
        assert_eq!(redactor.whole(text), whole, "{text}");
        assert_eq!(redactor.cut(text), cut, "{text}");
    }
}

#[test]
fn first_secrets_take_precedence_and_short_ones_are_ignored() {
    let mut secrets = Secrets::default();
    secrets.add("abc");
    (0..=MAX_SECRETS).for_each(|n| secrets.add(&format!("secret-{n:03}")));
    secrets.add("secret-000");
    let text = format!(
        "abc secret-000 secret-{:03} secret-{MAX_SECRETS:03}",
        MAX_SECRETS - 1
    );
    assert_eq!(
        Redactor::new(secrets).whole(&text),
        format!("abc ••• ••• secret-{MAX_SECRETS:03}")
    );
}

#[test]
fn header_value_precedes_its_token_and_parts() {
    let mut secrets = Secrets::default();
    secrets.add_header("Bearer the-token");
    secrets.add_header("Bearer ");
    secrets.add_header_parts("Digest username=\"ada-lovelace\", nc=1");
    assert_eq!(secrets.0, ["Bearer the-token", "the-token", "ada-lovelace"]);
    // A value with many parts only gets the remaining capacity.
    let many = (0..500)
        .map(|n| format!("part-{n:04};"))
        .collect::<Vec<_>>()
        .concat();
    secrets.add_header_parts(&many);
    assert_eq!(
        (secrets.0.len(), secrets.0[0].as_str()),
        (MAX_SECRETS, "Bearer the-token")
    );
}

#[test]
fn text_with_too_many_matches_is_masked_completely() {
    let redactor = redactor(["aaaa"]);
    assert_eq!(redactor.whole(&"a".repeat(16 * 1024)), "•••");
    assert_eq!(redactor.whole(&"aaaa ".repeat(MAX_MATCHES + 2)), "•••");
}

/// The largest allowed set of secrets, and a response that decodes to something else in every
/// encoding.
#[test]
fn most_expensive_settings_take_milliseconds() {
    let mut secrets = Secrets::default();
    for n in 0..20 {
        let words = (0..1024).map(|word| format!("{:03}{} ", word % 1000, char::from(b'a' + n)));
        let value = words.collect::<Vec<_>>().concat();
        secrets.add_header(&value[..4096]);
        secrets.add_header_parts(&value[..4096]);
    }
    for n in 0..44 {
        secrets.add(&format!("{}{n}", "a".repeat(4000)));
    }
    assert!(secrets.0.len() >= 60);
    let unit = "%61+\\u0061&#97;aaaaaaaaaaaaaaaaaa%2561%5Cu0061";
    let text = unit.repeat(16 * 1024 / unit.len());
    let started = Instant::now();
    let redactor = Redactor::new(secrets);
    for text in [redactor.cut(&text), redactor.whole(&text)] {
        assert!(text.starts_with("%61+"));
    }
    // About 30 ms in an optimized build.
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
}

/// Secrets that occur at every position of a text that is just short enough to be searched for each
/// of them.
#[test]
fn most_expensive_short_text_takes_milliseconds() {
    let mut secrets = Secrets::default();
    for n in 0..MAX_SECRETS {
        secrets.add(&"a".repeat(MAX_SHORT / 2 + n));
    }
    let redactor = Redactor::new(secrets);
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(redactor.whole(&"a".repeat(MAX_SHORT)), MASK);
    }
    // Below 1 ms each in an optimized build.
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

proptest! {
    #[test]
    fn start_search_agrees_with_plain_search(secret in "[ab]{9,24}", text in "[ab]{0,40}") {
        let found = Start::of(secret.as_bytes()).and_then(|start| start.prefix_at_end(text.as_bytes()));
        let expected = (MIN_START..secret.len()).rev().find(|count| text.ends_with(&secret[..*count]));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn short_and_long_texts_are_masked_alike(one in "[ab]{4,6}", other in "[ab]{4,6}", text in "([ab]|%61){0,40}") {
        let redactor = redactor([&*one, &*other]);
        let rest = format!("\n{}", "z".repeat(MAX_SHORT));
        prop_assert_eq!(redactor.whole(&text) + &rest, redactor.whole(&format!("{text}{rest}")));
    }

    #[test]
    fn guessed_start_is_not_confirmed(secret in "[ab]{8,16}", length in 1..15_usize, other in "[ab]{16}", rest in "[cd]{0,4}") {
        let length = length.min(secret.len() - 1);
        let redactor = redactor([&*secret]);
        let masked = |guess: &str| redactor.whole(&format!("{rest}{guess}{rest}"));
        prop_assert_eq!(masked(&secret[..length]), format!("{rest}{}{rest}", &secret[..length]));
        if !other[..length].contains(&*secret) {
            prop_assert_eq!(masked(&other[..length]), format!("{rest}{}{rest}", &other[..length]));
        }
    }
}
