use proptest::prelude::*;

use super::*;

#[test]
fn only_token_like_parts_are_masked() {
    for (text, masked) in [
        (
            "https://api.telegram.org/bot123:AbC-d/sendMessage",
            "https://api.telegram.org/•••/sendMessage",
        ),
        (
            "https://api.telegram.org/bot123%3aAbC/sendMessage",
            "https://api.telegram.org/•••/sendMessage",
        ),
        (
            "https://api.telegram.org/bot{secret.bot_token}/sendMessage",
            "https://api.telegram.org/bot{secret.bot_token}/sendMessage",
        ),
        (
            "https://h.example/bot12:{secret.bot_token}/x",
            "https://h.example/•••{secret.bot_token}/x",
        ),
        (
            "https://x.example.com/api/v2/tickets/{parent_ticket_id}/comments/",
            "https://x.example.com/api/v2/tickets/{parent_ticket_id}/comments/",
        ),
        (
            "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
            "https://hooks.slack.com/services/T00000000/B00000000/•••",
        ),
        (
            "https://h.example/a/abcdefghijklmnopqrstuvw/b",
            "https://h.example/a/abcdefghijklmnopqrstuvw/b",
        ),
        (
            "https://h.example/a/abcdefghijklmnopqrstuvwx.json",
            "https://h.example/a/•••.json",
        ),
        (
            "https://h.example/a/aB3-aB3-aB3-aB3-aB3-aB3_",
            "https://h.example/a/•••",
        ),
        (
            "https://h.example/a/how-to-connect-your-help-desk",
            "https://h.example/a/how-to-connect-your-help-desk",
        ),
        (
            "https://h.example/a/{a_very_long_tag_name_that_goes_on_1A}",
            "https://h.example/a/{a_very_long_tag_name_that_goes_on_1A}",
        ),
        (
            r#"https://h.example/{at | date: "%Y/%m"}/{"a:b?c"}?to={x | default: '&token=y'}&token={x | upper}"#,
            r#"https://h.example/{at | date: "%Y/%m"}/{"a:b?c"}?to={x | default: '&token=y'}&token={x | upper}"#,
        ),
        (
            "https://h.example/{x | default: 'abcdefghijklmnopqrstuvwx'}?token={x | default: 'y'}",
            "https://h.example/{x}•••?token={x}•••",
        ),
        (
            "https://h.example/550e8400-e29b-41d4-a716-446655440000",
            "https://h.example/550e8400-e29b-41d4-a716-446655440000",
        ),
        (
            "https://h.example/aB3aB3aB3aB3a%2BaB3aB3aB3aB3",
            "https://h.example/•••",
        ),
        (
            "https://h.example/?text=Your%20ticket%2012%20was%20closed%20now",
            "https://h.example/?text=Your%20ticket%2012%20was%20closed%20now",
        ),
        (
            "https://h.example/?api_key=abc&page=2&Sig=x&design=y",
            "https://h.example/?api_key=•••&page=2&Sig=•••&design=y",
        ),
        (
            "https://h.example/?%74oken=abc&token=&token={secret.t}&token",
            "https://h.example/?%74oken=•••&token=&token={secret.t}&token",
        ),
        (
            "https://h.example/?q=ABCDEFGHIJKLMNOPQRSTUVWXYZ#token=x",
            "https://h.example/?q=•••#token=•••",
        ),
        (
            "https://user:pass@h.example:8443/x",
            "https://•••@h.example:8443/x",
        ),
        ("https://us@er:pass@h.example", "https://•••@h.example"),
        ("/bot1:x/send?key=é", "/•••/send?key=•••"),
        ("", ""),
    ] {
        assert_eq!(url(text), masked, "{text}");
        assert_eq!(url(masked), masked, "{masked}");
    }
}

#[test]
fn masked_parts_are_returned() {
    for (text, hidden) in [
        (
            "https://user:pass@h.example/bot1:x/{a}?key=abc&page=2&sig={s}&token=x{t}",
            vec!["user:pass", "bot1:x", "abc", "x"],
        ),
        (
            "https://h.example/a/abcdefghijklmnopqrstuvwx.json",
            vec!["abcdefghijklmnopqrstuvwx"],
        ),
        ("https://h.example/a", vec![]),
        (
            "https://h.example/?token={x | default: 'abc&d'}&e=f",
            vec!["abc&d"],
        ),
    ] {
        assert_eq!(url_secrets(text), hidden, "{text}");
    }
}

#[test]
fn hint_requires_a_long_secret() {
    assert_eq!(hint("0123456789abcde"), None);
    assert_eq!(hint("0123456789abcdef").as_deref(), Some("cdef"));
    assert_eq!(hint("ééééééééééééabcd").as_deref(), Some("abcd"));
}

proptest! {
    #[test]
    fn url_accepts_any_text(text in ".*", parts in proptest::collection::vec("[a-zA-Z0-9:/?#&=@{}%.é-]{0,30}", 0..6)) {
        url(&text);
        let once = url(&parts.join("://"));
        prop_assert_eq!(url(&once), once);
    }

    #[test]
    fn long_token_is_always_masked(token in "[A-Za-z0-9]{24,80}", place in 0..3_usize) {
        let text = match place {
            0 => format!("https://h.example/a/{token}/b"),
            1 => format!("https://h.example/a?x={token}"),
            _ => format!("https://h.example/a.{token}"),
        };
        prop_assert!(!url(&text).contains(&token));
    }
}
