//! The recorded text of a response.

use std::borrow::Cow;

use domain::{media_type, secrets::redact::Redactor};

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
    fn new(response: &EgressResponse, text: &str) -> Self {
        // The cut may have split a character. Drop its first bytes.
        let cut = response.truncated || response.incomplete.is_some();
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
pub(super) async fn redacted(response: &EgressResponse, redactor: &Redactor) -> String {
    if response.body.is_empty() {
        return String::new();
    }
    tokio::task::yield_now().await;
    // Whatever charset the response declares, its bytes may contain a secret.
    if !matches!(
        media_type::text(&response.headers, &response.body),
        Some(Cow::Borrowed(_))
    ) {
        let bytes = Text::new(response, &String::from_utf8_lossy(&response.body));
        if let (shown, true) = bytes.redacted(redactor) {
            return shown;
        }
    }
    let text = media_type::text_lossy(&response.headers, &response.body);
    Text::new(response, &text).redacted(redactor).0
}
