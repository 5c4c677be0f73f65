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

/// The query's parameters; read like a document's fields, so that unknown and wrong ones are all named at once.
#[derive(Debug)]
pub struct Query(Fields);

impl<S: Sync + Send> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, state).await.unwrap_or(RawQuery(None));
        let mut map = Map::new();
        let mut twice = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if map.insert(name.to_string(), value.into()).is_some() {
                twice.push(name.to_string());
            }
        }
        let mut fields = Fields::of(map.into())?;
        for name in twice {
            fields.refuse(&name, "is given twice");
        }
        Ok(Self(fields))
    }
}

/// A page that was asked for.
#[derive(Debug)]
pub struct Paging {
    /// How many at the most.
    pub limit: usize,
    /// The cursor, as the client gave it.
    cursor: Option<String>,
}

impl Query {
    /// A filter.
    pub fn filter<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Checked<T>) -> Option<T> {
        self.0.optional(name, |value| parse(&string(value)?))
    }

    /// The rest: `limit` and `cursor`, and the end of reading.
    pub fn paging(mut self) -> Answer<Paging> {
        let limit = self.0.defaulted("limit", 50, |value| {
            let limit = string(value)?.parse().ok().filter(|limit| (1..=100).contains(limit));
            limit.ok_or_else(|| Problems::here("must be a whole number from 1 to 100"))
        });
        let cursor = self.0.defaulted("cursor", None, |value| string(value).map(Some));
        let paging = limit.zip(cursor).map(|(limit, cursor)| Paging { limit, cursor });
        Ok(self.0.finish(paging)?)
    }
}

impl Paging {
    /// The slice of the list `route` that the cursor points to.
    pub async fn slice(&self, app: &App, route: &str) -> Answer<Slice> {
        let after = match &self.cursor {
            None => None,
            Some(cursor) => {
                let opened = app.keys.open(place(route), cursor).await;
                let forged = |_| Problem::bad_request("The cursor is not one that this list gave");
                Some(secrecy::ExposeSecret::expose_secret(&opened.map_err(forged)?).to_owned())
            }
        };
        Ok(Slice { after, limit: self.limit })
    }
}

/// How many pages a filtered list reads before it answers with fewer than were asked for.
const MOST_PAGES: usize = 10;

/// A page of what `keep` keeps, read with `read` until it is full.
pub async fn filled<T, F: Future<Output = Answer<Page<T>>>>(
    mut slice: Slice,
    read: impl Fn(Slice) -> F,
    keep: impl Fn(&T) -> bool,
) -> Answer<Page<T>> {
    let most = slice.limit;
    let mut items = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = read(slice.clone()).await?;
        items.extend(page.items.into_iter().filter(&keep));
        slice = Slice { after: page.next, limit: most - items.len() };
        if slice.after.is_none() || slice.limit == 0 {
            break;
        }
    }
    Ok(Page { items, next: slice.after })
}

/// The answer of a list; `next` is where the next page begins.
pub async fn page<T: Serialize>(app: &App, route: &str, data: Vec<T>, next: Option<String>) -> Answer<Value> {
    let next_cursor = match next {
        Some(next) => Some(app.keys.get().await?.seal(place(route), &next)),
        None => None,
    };
    Ok(json!({"data": data, "next_cursor": next_cursor}))
}

fn place(route: &str) -> Place<'_> {
    Place { resource: "cursor", id: route, field: "next" }
}

/// A filter that is true or false.
pub fn boolean(text: &str) -> Checked<bool> {
    text.parse().map_err(|_| Problems::here("must be true or false"))
}

/// A filter that is a time.
pub fn time(text: &str) -> Checked<jiff::Timestamp> {
    domain::event::timestamp(text.into())
}

/// A filter that is one of these names.
pub fn choice<'a, T: Copy>(choices: &'a [(&'a str, T)]) -> impl FnOnce(&str) -> Checked<T> + 'a {
    move |text| one_of(choices)(text.into())
}
