//! Query parameters of lists: filters, `limit`, and sealed cursors.

use axum::extract::{FromRequestParts, RawQuery};
use domain::invalid::{Checked, Fields, Problems, one_of, string};
use http::request::Parts;
use platform::{
    seal::Place,
    table::walk::{Page, Slice},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Answer, Problem};
use crate::App;

/// The query's parameters; read like a document's fields, so that unknown and wrong ones are all
/// named at once.
#[derive(Debug)]
pub struct Query {
    fields: Fields,
    /// The list that is asked for: its path and filters. What cursors are sealed with.
    list: String,
}

impl<S: Sync + Send> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, state)
            .await
            .unwrap_or(RawQuery(None));
        let query = query.unwrap_or_default();
        let mut map = Map::new();
        let mut twice = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if map.insert(name.to_string(), value.into()).is_some() {
                twice.push(name.to_string());
            }
        }
        let mut fields = Fields::of(map.into())?;
        for name in twice {
            fields.refuse(&name, "must be given only once");
        }
        Ok(Self {
            fields,
            list: list(parts.uri.path(), &query),
        })
    }
}

/// The answer of a list.
#[derive(Debug, Serialize)]
pub struct Listing<T> {
    /// The entries.
    data: Vec<T>,
    /// The cursor of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A page that was asked for.
#[derive(Debug)]
pub struct Paging {
    /// How many at the most.
    pub limit: usize,
    /// The cursor, as the client gave it.
    cursor: Option<String>,
    list: String,
}

impl Query {
    /// A filter.
    pub fn filter<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Checked<T>) -> Option<T> {
        self.fields.optional(name, |value| parse(&string(value)?))
    }

    /// The rest: `limit` and `cursor`, and the end of reading.
    pub fn paging(mut self) -> Answer<Paging> {
        let limit = self.fields.defaulted("limit", 50, |value| {
            let text = string(value)?;
            let is_plain = !text.starts_with(['+', '0']);
            let limit = text
                .parse()
                .ok()
                .filter(|limit| is_plain && (1..=100).contains(limit));
            limit.ok_or_else(|| Problems::here("must be a whole number from 1 to 100"))
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
    /// The slice of the list that the cursor points to. Of another list, or one with other filters,
    /// it is refused.
    pub async fn slice(&self, app: &App) -> Answer<Slice> {
        let after = match &self.cursor {
            None => None,
            Some(cursor) => {
                let opened = app.keys.open(self.place(), cursor).await;
                let forged = |_| Problem::bad_request("The cursor was not returned by this list.");
                Some(secrecy::ExposeSecret::expose_secret(&opened.map_err(forged)?).to_owned())
            }
        };
        Ok(Slice::new(after, self.limit))
    }

    /// The answer of the list; `next` is where the next page begins.
    pub async fn page<T: Serialize>(
        &self,
        app: &App,
        data: Vec<T>,
        next: Option<String>,
    ) -> Answer<Value> {
        Ok(json!(self.listing(app, data, next).await?))
    }

    /// The same, without a tree of values in between: entries may be large.
    pub async fn listing<T>(
        &self,
        app: &App,
        data: Vec<T>,
        next: Option<String>,
    ) -> Answer<Listing<T>> {
        let next_cursor = match next {
            Some(next) => Some(app.keys.get().await?.seal(self.place(), &next)),
            None => None,
        };
        Ok(Listing { data, next_cursor })
    }

    fn place(&self) -> Place<'_> {
        Place {
            resource: "cursor",
            id: &self.list,
            field: "next",
        }
    }
}

/// A list by its path and filters; how long its pages are, and which page it is, make no other list
/// of it.
fn list(path: &str, query: &str) -> String {
    let mut filters: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    filters.retain(|(name, _)| !matches!(name.as_ref(), "limit" | "cursor"));
    filters.sort();
    let mut list = url::form_urlencoded::Serializer::new(String::new());
    list.append_pair("list", path)
        .extend_pairs(filters)
        .finish()
}

/// How many pages a filtered list reads before it answers with fewer than were asked for.
const MOST_PAGES: usize = 10;

/// A page of what `keep` keeps, read with `read` until it is full, or much was read for it.
pub async fn filled<T, F: Future<Output = Answer<Page<T>>>>(
    mut slice: Slice,
    read: impl Fn(Slice) -> F,
    keep: impl Fn(&T) -> bool,
) -> Answer<Page<T>> {
    let (limit, room) = (slice.limit, slice.room);
    let (mut items, mut weight) = (Vec::new(), 0);
    for _ in 0..MOST_PAGES {
        let page = read(slice.clone()).await?;
        weight += page.weight;
        items.extend(page.items.into_iter().filter(&keep));
        slice = Slice {
            after: page.next,
            limit: limit - items.len(),
            room: room.saturating_sub(weight),
        };
        if slice.after.is_none() || slice.limit == 0 || slice.room == 0 {
            break;
        }
    }
    Ok(Page {
        items,
        next: slice.after,
        weight,
    })
}

/// The first `count` entries that match, newest first; fewer where that would take many pages.
pub async fn first<T, F: Future<Output = Answer<Page<T>>>>(
    count: usize,
    read: impl Fn(Slice) -> F,
    matches: impl Fn(&T) -> bool,
) -> Answer<Vec<T>> {
    Ok(filled(Slice::new(None, count), read, matches).await?.items)
}

/// A filter by the whole name of a resource, of at most 100 characters as names have.
pub fn name(text: &str) -> Checked<String> {
    let name = text.trim();
    if name.chars().count() > 100 {
        return Err(Problems::here("must have at most 100 characters"));
    }
    Ok(name.to_owned())
}

/// A filter by any text.
pub fn text(text: &str) -> Checked<String> {
    Ok(text.to_owned())
}

/// A filter that is true or false.
pub fn boolean(text: &str) -> Checked<bool> {
    text.parse()
        .map_err(|_| Problems::here("must be true or false"))
}

/// A filter that is a time.
pub fn time(text: &str) -> Checked<jiff::Timestamp> {
    domain::event::timestamp(text.into())
}

/// A filter that is one of these names.
pub fn choice<'a, T: Copy>(choices: &'a [(&'a str, T)]) -> impl FnOnce(&str) -> Checked<T> + 'a {
    move |text| one_of(choices)(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_its_path_and_filters() {
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
