//! The recorded text of a response.

use std::borrow::Cow;

use domain::{
    media_type,
    secrets::redact::{Redactor, Secrets},
};

use crate::egress::{EgressResponse, MAX_WEBHOOK_RESPONSE_BYTES};

/// The body of a response as text.
struct Text {
    text: String,
    /// Whether the response continues beyond the text.
    cut: bool,
}

impl Text {
    /// Limited to the number of bytes read: decoded characters may take more space than the bytes
    /// that they replace.
    fn new(answer: &EgressResponse, text: &str) -> Self {
        // The cut may have split a character. Drop its first bytes.
        let cut = answer.truncated || answer.incomplete.is_some();
        let text = if cut {
            text.trim_end_matches(char::REPLACEMENT_CHARACTER)
        } else {
            text
        };
        let end = text.floor_char_boundary(MAX_WEBHOOK_RESPONSE_BYTES);
        Self {
            text: text[..end].to_owned(),
            cut: cut || end < text.len(),
        }
    }

    /// The text with secrets masked, and whether there were any.
    fn redacted(self, redactor: &Redactor) -> (String, bool) {
        let shown = if self.cut {
            redactor.cut(&self.text)
        } else {
            redactor.whole(&self.text)
        };
        let masked = shown != self.text;
        (shown, masked)
    }
}

/// The body of a response as text, with secrets masked. A search is bounded (see
/// [`domain::secrets::redact`]). Yields first, so that the other attempts of the batch can proceed.
pub(super) async fn redacted(answer: &EgressResponse, secrets: Secrets) -> String {
    if answer.body.is_empty() {
        return String::new();
    }
    tokio::task::yield_now().await;
    let redactor = Redactor::new(secrets);
    // Whatever charset the response declares, its bytes may contain a secret.
    if !matches!(
        media_type::text(&answer.headers, &answer.body),
        Some(Cow::Borrowed(_))
    ) {
        let bytes = Text::new(answer, &String::from_utf8_lossy(&answer.body));
        if let (shown, true) = bytes.redacted(&redactor) {
            return shown;
        }
    }
    let text = media_type::text_lossy(&answer.headers, &answer.body);
    Text::new(answer, &text).redacted(&redactor).0
}
