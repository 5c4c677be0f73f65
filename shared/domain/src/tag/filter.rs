//! Filters of tags, as written in templates.

use jiff::{Timestamp, fmt::strtime};

use crate::cursor::{BareQuotes, Cursor};

/// Maximum length of a date format, in bytes. A directive prints at most 255 characters.
const MAX_DATE_FORMAT: usize = 200;

/// A change of a tag's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    /// Another value in place of none, `null` or an empty text.
    Default(Argument),
    /// Text in upper case.
    Upper,
    /// Text in lower case.
    Lower,
    /// Text without white space around it.
    Trim,
    /// The start of a text, at most this many characters with the ellipsis; at least 1.
    Truncate(usize),
    /// A time in this format of strftime, in UTC.
    Date(String),
    /// Text for HTML.
    Html,
    /// Text for Telegram's `MarkdownV2`.
    Markdown,
    /// Percent-encoded text.
    Url,
    /// UTF-8 text in base64.
    Base64,
    /// Any value as JSON text.
    Json,
    /// The elements of an array as text, with this text between them.
    Join(String),
    /// Number of characters, elements or members.
    Length,
}

/// Argument of a filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Argument {
    /// Decoded text.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// What follows a filter's name.
enum Given {
    Nothing,
    Argument(Argument),
    /// A `:` without an argument after it.
    Unreadable,
}

/// Names of all filters, for errors.
const NAMES: &str = "default, upper, lower, trim, truncate, date, html, markdown, url, base64, \
                     json, join, length";

/// Why filters are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FilterError {
    /// No such filter.
    #[error("has the unknown filter `{0}`. Filters are: {NAMES}.")]
    Unknown(String),
    /// Missing, superfluous, or of another type.
    #[error("has a wrong argument: `{0}` {1}")]
    Argument(&'static str, &'static str),
    /// Too many filters.
    #[error("has more than {0} filters")]
    TooMany(usize),
    /// Anything else.
    #[error(
        "has no valid filters after `|`: write `{{name | filter | filter: \"text\"}}`; arguments are \
         quoted texts or whole numbers"
    )]
    Syntax,
}

impl Filter {
    /// Reads a name and an argument, with white space before each.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, FilterError> {
        cursor.skip_spaces();
        let name = cursor.word(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        if name.is_empty() {
            return Err(FilterError::Syntax);
        }
        cursor.skip_spaces();
        let given = if cursor.eat(':') {
            Argument::read(cursor).map_or(Given::Unreadable, Given::Argument)
        } else {
            Given::Nothing
        };
        Self::of(&name, given)
    }

    fn of(name: &str, given: Given) -> Result<Self, FilterError> {
        use Argument::{Number, Text};
        let none = |name, filter| match given {
            Given::Nothing => Ok(filter),
            _ => Err(FilterError::Argument(name, "takes none")),
        };
        match name {
            "upper" => none("upper", Self::Upper),
            "lower" => none("lower", Self::Lower),
            "trim" => none("trim", Self::Trim),
            "html" => none("html", Self::Html),
            "markdown" => none("markdown", Self::Markdown),
            "url" => none("url", Self::Url),
            "base64" => none("base64", Self::Base64),
            "json" => none("json", Self::Json),
            "length" => none("length", Self::Length),
            "default" => match given {
                Given::Argument(argument) => Ok(Self::Default(argument)),
                _ => Err(FilterError::Argument(
                    "default",
                    "takes a text or a whole number, such as `default: \"there\"`",
                )),
            },
            "truncate" => match given {
                Given::Argument(Number(length)) if length > 0 => usize::try_from(length).ok(),
                _ => None,
            }
            .map(Self::Truncate)
            .ok_or(FilterError::Argument(
                "truncate",
                "takes the maximum number of characters, at least 1, such as `truncate: 80`",
            )),
            "date" => match given {
                Given::Argument(Text(format)) if is_date_format(&format) => Ok(Self::Date(format)),
                _ => Err(FilterError::Argument(
                    "date",
                    "takes a format of strftime with at most 200 bytes, such as `date: \"%d.%m.%Y\"`",
                )),
            },
            "join" => match given {
                Given::Argument(Text(separator)) => Ok(Self::Join(separator)),
                _ => Err(FilterError::Argument(
                    "join",
                    "takes the text between two elements, such as `join: \", \"`",
                )),
            },
            unknown => {
                let is_name =
                    unknown.len() <= 20 && unknown.bytes().all(|byte| byte.is_ascii_alphabetic());
                Err(FilterError::Unknown(
                    if is_name { unknown } else { "…" }.to_owned(),
                ))
            }
        }
    }

    /// The text in its argument.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Default(Argument::Text(text)) | Self::Date(text) | Self::Join(text) => Some(text),
            _ => None,
        }
    }
}

impl Argument {
    /// Reads a quoted text or a whole number, with white space before it.
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.skip_spaces();
        if let Some(text) = cursor.quoted(BareQuotes::Allowed) {
            return text.ok().map(Self::Text);
        }
        let number = cursor.word(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
        let number = number.parse().ok().filter(|_| !number.starts_with('+'));
        number.map(Self::Number)
    }
}

/// Whether the format has valid directives only. Some print nothing for certain times.
fn is_date_format(format: &str) -> bool {
    format.len() <= MAX_DATE_FORMAT && format_date(format, Timestamp::UNIX_EPOCH).is_some()
}

/// The time in UTC. `None` if the format has a directive that does not apply.
pub(crate) fn format_date(format: &str, time: Timestamp) -> Option<String> {
    let utc = time.to_zoned(jiff::tz::TimeZone::UTC);
    strtime::format(format, &utc).ok()
}
