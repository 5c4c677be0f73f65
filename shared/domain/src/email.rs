//! E-mail addresses (RFC 5321, RFC 6531), with an optional display name (RFC 5322, section 3.4).

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde_json::Value;

use crate::validation::{Validated, ValidationErrors, string};

/// Maximum length of an address and of its local part, in bytes (RFC 5321, section 4.5.3.1).
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;
/// Maximum length of a display name, in characters.
const MAX_NAME: usize = 100;
/// Characters that require quotes in a display name.
const SPECIALS: [char; 12] = ['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '"'];

/// An address with an optional display name: `Support <support@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Display name, without quotes.
    pub name: Option<String>,
    /// Address.
    pub address: String,
}

/// Parses an address: a local part without quotes and comments, one `@`, and a domain of at least
/// two labels that IDNA 2008 allows, in Unicode or as `xn--…`.
pub fn address(value: Value) -> Validated<String> {
    let text = string(value)?;
    if is_address(&text) {
        Ok(text)
    } else {
        Err(ValidationErrors::here("must be an e-mail address"))
    }
}

impl Mailbox {
    /// Parses an address, or `Name <address>`.
    pub fn parse(text: &str) -> Validated<Self> {
        let Some((name, address)) = text
            .strip_suffix('>')
            .and_then(|rest| rest.rsplit_once('<'))
        else {
            let address = address(text.into()).map_err(|_| not_a_mailbox())?;
            return Ok(Self {
                name: None,
                address,
            });
        };
        let address = self::address(address.into()).map_err(|_| not_a_mailbox())?;
        Ok(Self {
            name: display_name(name.trim())?,
            address,
        })
    }
}

fn not_a_mailbox() -> ValidationErrors {
    ValidationErrors::here(
        "must be an e-mail address, or a name and an address such as Support <support@example.com>",
    )
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let legal = (1..=MAX_LOCAL).contains(&local.len())
        && !text
            .chars()
            .any(|char| char.is_whitespace() || char.is_control())
        && !local.contains(SPECIALS)
        && !local.split('.').any(str::is_empty);
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    legal
        && ascii
            .is_ok_and(|ascii| ascii.contains('.') && local.len() + 1 + ascii.len() <= MAX_ADDRESS)
}

/// Parses a display name; `None` if it is empty.
fn display_name(text: &str) -> Validated<Option<String>> {
    let quoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let name = match quoted {
        Some(quoted) => unquote(quoted).ok_or_else(not_a_mailbox)?,
        None if text.contains(SPECIALS) => {
            let detail =
                "the name must be in double quotes if it contains any of ( ) < > [ ] : ; @ \\ ,";
            return Err(ValidationErrors::here(detail));
        }
        None => text.to_owned(),
    };
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(ValidationErrors::here(format!(
            "the name must have at most {MAX_NAME} characters and no control characters"
        )));
    }
    Ok((!name.trim().is_empty()).then_some(name))
}

/// The text of a quoted string, with backslashes before quotes and backslashes.
fn unquote(text: &str) -> Option<String> {
    let (mut name, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(char) = chars.next() {
        match char {
            '\\' => name.push(chars.next()?),
            '"' => return None,
            _ => name.push(char),
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_follow_idna_2008() {
        for good in [
            "a@b.co",
            "ana.lima+x@mail.example.com",
            "ü@bücher.example",
            "user@उदाहरण.परीक्षा",
            "user@ตัวอย่าง.ไทย",
            "user@xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g",
            "user@faß.example",
            "user@例え.テスト",
            "用户@例子.广告",
            "user@مثال.إختبار",
            "user@Example.COM",
            "user@ab--cd.example",
        ] {
            assert!(address(json!(good)).is_ok(), "{good}");
        }
        let (label, longer) = ("x".repeat(63), "x".repeat(64));
        assert!(address(json!(format!("a@{label}.com"))).is_ok());
        for bad in [
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a@b..co",
            "a@-b.co",
            "a@b-.co",
            "a b@c.de",
            "a@b@c.de",
            "a@b.c\n",
            "a@b.co.",
            "a@b_c.de",
            "a@[127.0.0.1]",
            "a@xn--a.example",
            "a@\u{301}b.example",
            "\"a\"@b.co",
            ".a@b.co",
            "a.@b.co",
            &format!("a@{longer}.com"),
            &format!("{}@b.co", "x".repeat(65)),
            &format!("a@{label}.{label}.{label}.{label}.com"),
            // 63 characters, but more as xn--….
            &format!("a@{}.example", "ü".repeat(63)),
        ] {
            assert!(address(json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn address_may_have_display_name() {
        for (text, name) in [
            ("s@example.com", None),
            ("<s@example.com>", None),
            ("Support <s@example.com>", Some("Support")),
            ("Support<s@example.com>", Some("Support")),
            (
                "Acme Inc. – Übersee <s@example.com>",
                Some("Acme Inc. – Übersee"),
            ),
            (r#""Acme, Inc." <s@example.com>"#, Some("Acme, Inc.")),
            (
                r#""The \"Desk\" \\ <x>" <s@example.com>"#,
                Some(r#"The "Desk" \ <x>"#),
            ),
        ] {
            let mailbox = Mailbox::parse(text).expect(text);
            assert_eq!(
                (mailbox.name.as_deref(), &*mailbox.address),
                (name, "s@example.com"),
                "{text}"
            );
        }
        for bad in [
            "Support",
            "Support <s@example>",
            "Support <s@example.com",
            "Support s@example.com>",
            "Acme, Inc. <s@example.com>",
            "a@example.com, b <s@example.com>",
            "\"a\" b\" <s@example.com>",
            "\"a\\\" <s@example.com>",
            "a\r\nb <s@example.com>",
            "Support <s@example.com> x",
            "Support < s@example.com >",
            &format!("{} <s@example.com>", "x".repeat(101)),
        ] {
            assert!(Mailbox::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_display_name_can_be_quoted(name in "[^\\p{Cc}]{1,50}", text in "([<>@.\"\\\\a]|\\PC){0,30}") {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            let mailbox = Mailbox::parse(&format!("\"{quoted}\" <s@example.com>")).expect("a mailbox");
            prop_assert_eq!(mailbox.name, Some(name).filter(|name| !name.trim().is_empty()));
            let _ = Mailbox::parse(&text);
        }
    }
}
