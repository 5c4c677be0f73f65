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
fn whole_secrets_are_masked_and_beginnings_only_at_a_cut() {
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
fn those_added_first_count_and_short_ones_never_do() {
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
fn a_header_value_counts_whole_then_its_token_and_its_parts_last() {
    let mut secrets = Secrets::default();
    secrets.add_header("Bearer the-token");
    secrets.add_header("Bearer ");
    secrets.add_header_parts("Digest username=\"ada-lovelace\", nc=1");
    assert_eq!(secrets.0, ["Bearer the-token", "the-token", "ada-lovelace"]);
    // A value of many parts takes only the room that is left.
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
fn a_text_full_of_secrets_is_masked_as_a_whole() {
    let redactor = redactor(["aaaa"]);
    assert_eq!(redactor.whole(&"a".repeat(16 * 1024)), "•••");
    assert_eq!(redactor.whole(&"aaaa ".repeat(MAX_MATCHES + 2)), "•••");
}

/// What a webhook's settings allow at the most, and an answer that decodes to something else in
/// every code.
#[test]
fn the_costliest_settings_take_milliseconds() {
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
    // Some 30 ms when optimized.
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
}

proptest! {
    #[test]
    fn a_beginning_is_found_as_a_plain_search_finds_it(secret in "[ab]{9,24}", text in "[ab]{0,40}") {
        let found = Start::of(secret.as_bytes()).and_then(|start| start.at_the_end(text.as_bytes()));
        let expected = (MIN_START..secret.len()).rev().find(|count| text.ends_with(&secret[..*count]));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_guess_of_a_beginning_changes_nothing(secret in "[ab]{8,16}", length in 1..15_usize, other in "[ab]{16}", rest in "[cd]{0,4}") {
        let length = length.min(secret.len() - 1);
        let redactor = redactor([&*secret]);
        let answer = |guess: &str| redactor.whole(&format!("{rest}{guess}{rest}"));
        prop_assert_eq!(answer(&secret[..length]), format!("{rest}{}{rest}", &secret[..length]));
        if !other[..length].contains(&*secret) {
            prop_assert_eq!(answer(&other[..length]), format!("{rest}{}{rest}", &other[..length]));
        }
    }
}
