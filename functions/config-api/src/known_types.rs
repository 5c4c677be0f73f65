//! Which event types exist.

use domain::{event_type, pattern::EventType, validation::ValidationErrors};

use crate::{App, http::ApiResult};

/// Whether events of this type can be published.
pub(crate) async fn is_known(app: &App, kind: &EventType) -> ApiResult<bool> {
    Ok(event_type::find(kind.as_str()).is_some() || app.table.event_type(kind).await?.is_some())
}

/// Names of the custom types, loaded on first use.
#[derive(Debug, Default)]
pub(crate) struct Names(Option<Vec<EventType>>);

impl Names {
    async fn get(&mut self, app: &App) -> ApiResult<&[EventType]> {
        let names = match self.0.take() {
            Some(names) => names,
            None => app.table.event_type_names().await?,
        };
        Ok(self.0.insert(names))
    }
}

/// Returns the error for an unknown type, with a suggestion.
pub(crate) async fn unknown(
    app: &App,
    kind: &EventType,
    names: &mut Names,
) -> ApiResult<ValidationErrors> {
    let own = names.get(app).await?;
    let known = event_type::catalogue()
        .iter()
        .map(|known| known.name)
        .chain(own.iter().map(EventType::as_str));
    let meant = event_type::closest(kind.as_str(), known);
    let meant = meant
        .map(|name| format!(" Did you mean `{name}`?"))
        .unwrap_or_default();
    let create = "Create a custom type with `POST /v1/event-types`";
    Ok(ValidationErrors::here(format!(
        "is not a known event type.{meant} {create}, or list all with `GET /v1/event-types`."
    )))
}
