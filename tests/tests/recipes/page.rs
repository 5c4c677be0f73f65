//! Blocks of a page, and comparison of their output.

use serde_json::{Deserializer, Value};

/// Commands of a page.
pub(crate) struct Block {
    /// Line of the page where they begin.
    pub(crate) line: usize,
    pub(crate) commands: String,
    /// Output that the page shows.
    pub(crate) expected: Option<String>,
}

/// Any text, in what a page shows.
const ANY: char = '…';

/// The blocks of a page.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut fence: Option<(usize, &str, Vec<&str>)> = None;
    for (line, text) in page.lines().enumerate() {
        match (&mut fence, text.strip_prefix("```")) {
            (None, Some(kind)) => fence = Some((line + 1, kind, Vec::new())),
            (Some((_, _, lines)), None) => lines.push(text),
            (None, None) => {}
            (Some(_), Some(_)) => {
                let (line, kind, lines) = fence.take().expect("a block");
                let content = lines.join("\n");
                match kind {
                    "sh" => found.push(Block {
                        line,
                        commands: content,
                        expected: None,
                    }),
                    "text" => {
                        let block = found.last_mut().expect("commands come first");
                        assert!(block.expected.is_none(), "line {line}: no commands");
                        block.expected = Some(content);
                    }
                    other => panic!("line {line}: `{other}` is neither sh nor text"),
                }
            }
        }
    }
    found
}

/// Compares what a page shows with what its commands printed.
pub(crate) fn compare(expected: &str, out: &str, err: &str) -> Result<(), String> {
    let (status, content) = match expected.strip_prefix("HTTP ") {
        Some(rest) => {
            let (status, content) = rest.split_once('\n').unwrap_or((rest, ""));
            (Some(status), content)
        }
        None => (None, expected),
    };
    let mut statuses = err.lines().filter_map(|line| line.strip_prefix("HTTP "));
    if let Some(status) = status
        && statuses.next_back() != Some(status)
    {
        return Err(format!("the status is not {status}"));
    }
    if content.is_empty() {
        return Ok(());
    }
    if let Ok(expected) = serde_json::from_str::<Value>(content) {
        let documents = Deserializer::from_str(out).into_iter::<Value>();
        let last = documents.map_while(Result::ok).last();
        return contains(&last.ok_or("no JSON")?, &expected, "");
    }
    let lines: Vec<&str> = out.lines().collect();
    let last = lines.len().saturating_sub(content.lines().count());
    if is_like(&lines[last..].join("\n"), content) {
        Ok(())
    } else {
        Err(format!("the output does not end with {content}"))
    }
}

/// Whether a value has everything that the page shows of it.
fn contains(actual: &Value, shown: &Value, pointer: &str) -> Result<(), String> {
    match (actual, shown) {
        (Value::Object(actual), Value::Object(shown)) => {
            shown.iter().try_for_each(|(name, value)| {
                let pointer = format!("{pointer}/{name}");
                let found = actual.get(name).ok_or(format!("{pointer} is missing"))?;
                contains(found, value, &pointer)
            })
        }
        (Value::Array(actual), Value::Array(shown)) if actual.len() == shown.len() => {
            let pairs = actual.iter().zip(shown).enumerate();
            pairs.into_iter().try_for_each(|(n, (actual, shown))| {
                contains(actual, shown, &format!("{pointer}/{n}"))
            })
        }
        (Value::String(actual), Value::String(shown)) if is_like(actual, shown) => Ok(()),
        (actual, shown) if actual == shown => Ok(()),
        _ => Err(format!("{pointer} is {actual}, not {shown}")),
    }
}

/// Whether a text is the shown one, with any text in place of [`ANY`].
fn is_like(actual: &str, shown: &str) -> bool {
    let Some((first, rest)) = shown.split_once(ANY) else {
        return actual == shown;
    };
    let Some(left) = actual.strip_prefix(first) else {
        return false;
    };
    let starts = left.char_indices().map(|(at, _)| at).chain([left.len()]);
    starts
        .into_iter()
        .any(|at| at > 0 && is_like(&left[at..], rest))
}

#[test]
fn shown_output_is_compared() {
    for (shown, out, same) in [
        (
            "HTTP 200\n{\"a\": \"x…z\"}",
            "{\"b\": 0}\n{\"a\": \"xyz\", \"c\": 1}",
            true,
        ),
        ("HTTP 200\n{\"a\": \"x…z\"}", "{\"a\": \"xz\"}", false),
        ("HTTP 200\n{\"a\": []}", "{\"a\": [1]}", false),
        (
            "{\"a\": [{\"b\": 1}]}",
            "{\"a\": [{\"b\": 1, \"c\": 2}]}",
            true,
        ),
        ("{\"a\": 1}", "{\"b\": 1}", false),
        ("{\"a\": null}", "{\"a\": \"x\"}", false),
        ("{\"a\": 1}", "", false),
        ("HTTP 204", "", false),
        ("HTTP 200", "", true),
        ("one\nt…o", "one\ntwo\n", true),
        ("two", "one\ntwo\n", true),
        ("one", "one\ntwo\n", false),
        ("one\ntwo", "two\n", false),
    ] {
        let err = "HTTP 204\nHTTP 200\n";
        assert_eq!(compare(shown, out, err).is_ok(), same, "{shown} of {out}");
    }
}
