//! Reads paths and tags character by character, in plain text or inside a JSON string.

use std::str::Chars;

/// Maximum length of a quoted text, in bytes.
const MAX_QUOTED: usize = 1_000;

/// How the text spells its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// As they are.
    Plain,
    /// Inside a JSON string: escape sequences are decoded first.
    JsonString,
}

/// Whether an unescaped `"` inside a JSON string may be a quotation mark of the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BareQuotes {
    /// It may. The whole tag must then be valid.
    Allowed,
    /// It ends the JSON string.
    Excluded,
}

/// A quoted text without an end, or longer than 1,000 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unquotable;

/// A position in a text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    syntax: Syntax,
}

/// One character as the tag's grammar sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Symbol {
    c: char,
    /// Whether it is an unescaped `"` inside a JSON string.
    bare_quote: bool,
}

impl<'a> Cursor<'a> {
    /// Starts at the first character.
    pub(crate) const fn new(text: &'a str, syntax: Syntax) -> Self {
        Self {
            text,
            at: 0,
            syntax,
        }
    }

    /// Number of bytes read.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    /// The symbol at this position, and its length in bytes. `None` at the end and at an invalid
    /// escape sequence.
    fn symbol(&self) -> Option<(Symbol, usize)> {
        let mut chars = self.text.get(self.at..)?.chars();
        let c = chars.next()?;
        let in_json = self.syntax == Syntax::JsonString;
        let symbol = Symbol {
            c: if in_json && c == '\\' {
                escape(&mut chars, Chars::next)?
            } else {
                c
            },
            bare_quote: in_json && c == '"',
        };
        Some((symbol, self.text.len() - self.at - chars.as_str().len()))
    }

    fn next(&mut self) -> Option<Symbol> {
        let (symbol, length) = self.symbol()?;
        self.at += length;
        Some(symbol)
    }

    /// Reads characters as long as they belong to `class`.
    pub(crate) fn word(&mut self, class: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some((symbol, length)) = self.symbol()
            && !symbol.bare_quote
            && class(symbol.c)
        {
            word.push(symbol.c);
            self.at += length;
        }
        word
    }

    /// Reads white space.
    pub(crate) fn skip_spaces(&mut self) {
        self.word(|c| c.is_ascii_whitespace());
    }

    /// Reads `wanted` if it is next.
    pub(crate) fn eat(&mut self, wanted: char) -> bool {
        let next = self.symbol().filter(|(symbol, _)| symbol.c == wanted);
        self.at += next.map_or(0, |(_, length)| length);
        next.is_some()
    }

    /// Reads a text in `"` or `'`, with the escape sequences of JSON and `\'`. With any other
    /// backslash, the text is taken as it is. `None` if none starts here.
    pub(crate) fn quoted(&mut self, bare: BareQuotes) -> Option<Result<String, Unquotable>> {
        let (open, length) = self.symbol()?;
        if !matches!(open.c, '"' | '\'') || open.bare_quote && bare == BareQuotes::Excluded {
            return None;
        }
        self.at += length;
        let mut plain = self.clone();
        let text = self.quoted_rest(open, Self::escaped).or_else(|| {
            let text = plain.quoted_rest(open, |_| Some('\\'))?;
            self.at = plain.at;
            Some(text)
        });
        Some(text.ok_or(Unquotable))
    }

    /// Reads an escape sequence after its backslash.
    fn escaped(&mut self) -> Option<char> {
        escape(self, |cursor| Some(cursor.next()?.c))
    }

    /// Reads up to the closing quotation mark, with `backslash` after each backslash.
    fn quoted_rest(
        &mut self,
        open: Symbol,
        backslash: impl Fn(&mut Self) -> Option<char>,
    ) -> Option<String> {
        let mut text = String::new();
        while text.len() <= MAX_QUOTED {
            match self.next()? {
                symbol if symbol == open => return Some(text),
                symbol if symbol.bare_quote => return None,
                Symbol { c: '\\', .. } => text.push(backslash(self)?),
                symbol => text.push(symbol.c),
            }
        }
        None
    }
}

/// Decodes the rest of an escape sequence of JSON, after its backslash.
fn escape<T>(input: &mut T, next: impl Fn(&mut T) -> Option<char>) -> Option<char> {
    let unit =
        |input: &mut T| (0..4).try_fold(0, |unit, _| Some(unit * 16 + next(input)?.to_digit(16)?));
    Some(match next(input)? {
        c @ ('"' | '\'' | '\\' | '/') => c,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => match unit(input)? {
            high @ 0xd800..0xdc00 => {
                let low = (next(input)? == '\\' && next(input)? == 'u').then(|| unit(input))??;
                let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                char::from_u32(0x10000 + (high - 0xd800) * 0x400 + low)?
            }
            unit => char::from_u32(unit)?,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_are_decoded() {
        use BareQuotes::{Allowed, Excluded};
        use Syntax::{JsonString, Plain};
        for (syntax, bare, text, expected) in [
            (Plain, Excluded, r#""a}|'é" b"#, Some("a}|'é")),
            (Plain, Excluded, r#"'a"b\'c'"#, Some("a\"b'c")),
            (
                Plain,
                Excluded,
                r#""\"\\\/\n\u00e9\ud83c\udf89""#,
                Some("\"\\/\né🎉"),
            ),
            (Plain, Excluded, "'two\nlines'", Some("two\nlines")),
            (Plain, Excluded, "''", Some("")),
            (JsonString, Excluded, r#"\"a'b\""#, Some("a'b")),
            (JsonString, Excluded, r"'a\u0062\\n'", Some("ab\n")),
            (JsonString, Allowed, r#""a\"b""#, Some("a\"b")),
            (JsonString, Excluded, r#"'a"b'"#, None),
            (JsonString, Excluded, r#"\"a"b\""#, None),
            (JsonString, Excluded, r"'a\x'", None),
            (Plain, Excluded, r#""a"#, None),
            (Plain, Excluded, r#""a\x\n""#, Some(r"a\x\n")),
            (Plain, Excluded, r#""\ud83c""#, Some(r"\ud83c")),
            (Plain, Excluded, r#""\ud83c\u0041""#, Some(r"\ud83c\u0041")),
            (Plain, Excluded, r#""\udf89""#, Some(r"\udf89")),
            (Plain, Excluded, r#""\""#, Some("\\")),
            (JsonString, Excluded, r#"\"\\\""#, Some("\\")),
        ] {
            let quoted = Cursor::new(text, syntax).quoted(bare).expect(text);
            assert_eq!(quoted.ok().as_deref(), expected, "{text}");
        }
        for (syntax, text) in [(Plain, "a"), (Plain, ""), (JsonString, "\"a\"")] {
            assert_eq!(Cursor::new(text, syntax).quoted(Excluded), None, "{text}");
        }
        let long = |length| format!("'{}'", "x".repeat(length));
        for (length, fits) in [(MAX_QUOTED, true), (MAX_QUOTED + 1, false)] {
            let text = long(length);
            let quoted = Cursor::new(&text, Plain).quoted(Excluded);
            assert_eq!(quoted.is_some_and(|text| text.is_ok()), fits, "{length}");
        }
    }
}
