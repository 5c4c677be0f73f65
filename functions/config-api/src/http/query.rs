//! Query parameters of lists: filters, `limit` and encrypted cursors.

use std::fmt::Display;

use axum::{
    Json,
    extract::{FromRequestParts, RawQuery},
};
use domain::validation::{FieldReader, Validated, ValidationErrors, one_of, string};
use http::request::Parts;
use platform::{
    encryption::AadContext,
    keyring::KeyringError,
    table::pagination::{Page, PageRequest},
};
use serde_json::Map;

use super::{ApiResult, Problem, problem::MAX_LISTED};
use crate::{App, api};
use secrecy::ExposeSecret;

/// Query parameters. Read like fields of a document, so that one response lists all unknown and
/// invalid ones.
#[derive(Debug)]
pub struct Query {
    fields: FieldReader,
    /// The list's path and filters: the associated data of its encrypted cursors.
    list: String,
}

impl<S: Sync + Send> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, state)
            .await
            .unwrap_or(RawQuery(None));
        let query = query.unwrap_or_default();
        let mut map = Map::new();
        let mut repeated = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if map.insert(name.to_string(), value.into()).is_some() {
                repeated.push(name.to_string());
            }
        }
        let mut fields = FieldReader::of(map.into())?;
        for name in repeated {
            fields.refuse(&name, "must be given only once");
        }
        Ok(Self {
            fields,
            list: list(parts.uri.path(), &query),
        })
    }
}

/// The `limit` and `cursor` of a list request.
#[derive(Debug)]
pub struct Paging {
    /// Maximum items per page, 1 to 100.
    pub limit: usize,
    /// The cursor as the client sent it.
    cursor: Option<String>,
    list: String,
}

impl Query {
    /// Reads a filter.
    pub fn filter<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Validated<T>) -> Option<T> {
        self.fields.optional(name, |value| parse(&string(value)?))
    }

    /// Reads `limit` and `cursor` and rejects unknown parameters. Call it after all filters.
    pub fn paging(mut self) -> ApiResult<Paging> {
        let limit = self.fields.defaulted("limit", 50, |value| {
            let text = string(value)?;
            let is_plain = !text.starts_with(['+', '0']);
            let limit = text
                .parse()
                .ok()
                .filter(|limit| is_plain && (1..=100).contains(limit));
            limit.ok_or_else(|| ValidationErrors::here("must be a whole number from 1 to 100"))
        });
        let cursor = self
            .fields
            .defaulted("cursor", None, |value| string(value).map(Some));
        let list = self.list;
        let paging = limit.zip(cursor).map(|(limit, cursor)| Paging {
            limit,
            cursor,
            list,
        });
        Ok(self.fields.finish(paging)?)
    }
}

impl Paging {
    /// Decrypts the cursor. Returns 400 if it belongs to another list or other filters.
    pub async fn page_request(&self, app: &App) -> ApiResult<PageRequest> {
        let after = match &self.cursor {
            None => None,
            Some(cursor) => {
                let opened = app.keys.open(self.aad(), cursor).await;
                let opened = opened.map_err(|error| match error {
                    KeyringError::Seal(_) => {
                        Problem::bad_request("The cursor was not returned by this list.")
                    }
                    error => error.into(),
                })?;
                Some(opened.expose_secret().to_owned())
            }
        };
        Ok(PageRequest::new(after, self.limit))
    }

    /// Renders the page. `next` is the start of the next page.
    pub async fn page<T>(
        &self,
        app: &App,
        data: impl IntoIterator<Item = T>,
        next: Option<String>,
    ) -> ApiResult<Json<api::List<T>>> {
        let next_cursor = match next {
            Some(next) => Some(app.keys.get().await?.seal(self.aad(), &next)),
            None => None,
        };
        Ok(Json(api::List {
            data: data.into_iter().collect(),
            next_cursor,
        }))
    }

    fn aad(&self) -> AadContext<'_> {
        AadContext {
            resource: "cursor",
            id: &self.list,
            field: "next",
        }
    }
}

/// Identifies a list by its path and filters, ignoring `limit` and `cursor`.
fn list(path: &str, query: &str) -> String {
    let mut filters: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    filters.retain(|(name, _)| !matches!(name.as_ref(), "limit" | "cursor"));
    filters.sort();
    let mut list = url::form_urlencoded::Serializer::new(String::new());
    list.append_pair("list", path)
        .extend_pairs(filters)
        .finish()
}

/// Maximum pages that a filtered list reads for one page of results. After that it returns a
/// shorter page.
const MAX_PAGES: usize = 10;

/// Reads pages until `limit` items match `keep`, or the read limit or byte budget is exhausted.
pub async fn fill_page<T, F: Future<Output = ApiResult<Page<T>>>>(
    mut page_request: PageRequest,
    read: impl Fn(PageRequest) -> F,
    keep: impl Fn(&T) -> bool,
) -> ApiResult<Page<T>> {
    let (limit, byte_budget) = (page_request.limit, page_request.byte_budget);
    let (mut items, mut response_bytes) = (Vec::new(), 0);
    for _ in 0..MAX_PAGES {
        let page = read(page_request.clone()).await?;
        response_bytes += page.response_bytes;
        items.extend(page.items.into_iter().filter(&keep));
        page_request = PageRequest {
            after: page.next,
            limit: limit - items.len(),
            byte_budget: byte_budget.saturating_sub(response_bytes),
        };
        if page_request.after.is_none() || page_request.limit == 0 || page_request.byte_budget == 0
        {
            break;
        }
    }
    Ok(Page {
        items,
        next: page_request.after,
        response_bytes,
    })
}

/// Returns the 409 for a resource that others use. `user` returns the ID of an item that uses it.
/// Names fewer users if it would have to read too many pages.
pub async fn in_use<T, I: Display, F: Future<Output = ApiResult<Page<T>>>>(
    why: &str,
    remedy: &str,
    read: impl Fn(PageRequest) -> F,
    user: impl Fn(&T) -> Option<I>,
) -> ApiResult<Problem> {
    let page_request = PageRequest::new(None, MAX_LISTED + 1);
    let page = fill_page(page_request, read, |item| user(item).is_some()).await?;
    Ok(Problem::in_use(
        why,
        page.items.iter().filter_map(user),
        remedy,
    ))
}

/// Parses a filter by the whole name of a resource, at most 100 characters.
pub fn name(text: &str) -> Validated<String> {
    let name = text.trim();
    if name.chars().count() > 100 {
        return Err(ValidationErrors::here("must have at most 100 characters"));
    }
    Ok(name.to_owned())
}

/// Parses a text filter.
pub fn text(text: &str) -> Validated<String> {
    Ok(text.to_owned())
}

/// Parses a filter by recipient. In a query, an unencoded `+` decodes to a space, so a phone number
/// with a leading space gets its `+` back.
pub fn recipient(text: &str) -> Validated<String> {
    let digits = text
        .strip_prefix(' ')
        .filter(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(digits.map_or_else(|| text.to_owned(), |digits| format!("+{digits}")))
}

/// Parses a boolean filter.
pub fn boolean(text: &str) -> Validated<bool> {
    text.parse()
        .map_err(|_| ValidationErrors::here("must be true or false"))
}

/// Parses a filter by time (RFC 3339).
pub fn time(text: &str) -> Validated<jiff::Timestamp> {
    domain::event::timestamp(text.into())
}

/// Parses a filter that accepts these names.
pub fn choice<'a, T: Copy>(choices: &'a [(&'a str, T)]) -> impl FnOnce(&str) -> Validated<T> + 'a {
    move |text| one_of(choices)(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_before_a_phone_number_is_a_plus() {
        for (text, expected) in [
            (" 15555550100", "+15555550100"),
            ("+15555550100", "+15555550100"),
            ("15555550100", "15555550100"),
            ("  15555550100", "  15555550100"),
            (" a@example.com", " a@example.com"),
            (" 1 2", " 1 2"),
            (" ", " "),
            ("", ""),
        ] {
            assert_eq!(recipient(text).expect("a filter"), expected, "{text:?}");
        }
    }

    #[test]
    fn lists_are_identified_by_path_and_filters() {
        let one = list("/v1/events", "type=a&since=x&limit=3&cursor=abc");
        assert_eq!(one, list("/v1/events", "cursor=d&since=x&type=%61"));
        for (path, query) in [
            ("/v1/audit", "type=a&since=x"),
            ("/v1/events", "type=a"),
            ("/v1/events", "type=b&since=x"),
            ("/v1/events", "type=a&since=x&until=y"),
            ("/v1/events", "type=a%26since%3Dx"),
        ] {
            assert_ne!(one, list(path, query), "{path}?{query}");
        }
        assert!(
            !list("/v1/x|y", "a=|&|=b").contains('|'),
            "what sealing takes for the end of a part"
        );
    }
}
