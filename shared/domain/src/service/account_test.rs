//! Tests of an account: a new token, and a request to one of the account's services.

use serde_json::{Value, json};

use super::{
    Service,
    send::{self, Request},
};
use crate::{
    account::{Account, Authorization},
    id::ServiceId,
    validation::{FieldReader, Validated, ValidationErrors, string},
};

/// What a client asks to be tested, besides a new token.
#[derive(Debug, Clone)]
pub struct AccountTest {
    /// Service to send a request to.
    pub service_id: Option<ServiceId>,
    /// Path at the service, joined to its URL.
    path: Option<String>,
}

impl AccountTest {
    /// Parses `{service_id, path}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let with_service = fields.has("service_id");
        let service_id = fields.defaulted("service_id", None, |value| {
            Ok(Some(string(value)?.parse()?))
        });
        let path = fields.defaulted("path", None, |value| string(value).map(Some));
        if matches!(path, Some(Some(_))) && !with_service {
            fields.refuse("path", "is only allowed with `service_id`");
        }
        let parsed = service_id
            .zip(path)
            .map(|(service_id, path)| Self { service_id, path });
        fields.finish(parsed)
    }

    /// Returns the request to `service`, the service with the ID that the test names; `None` if
    /// only a token is tested. `hops` is how many times the chain that led to the test has left
    /// Tieline.
    ///
    /// # Errors
    /// Fails if the account has nothing to test, if the service does not use the account, or if the
    /// path leaves the service's URL.
    pub fn request(
        self,
        account: &Account,
        service: Option<&Service>,
        hops: u8,
    ) -> Validated<Option<Request>> {
        let authorization = &account.settings.authorization;
        match (authorization, self.service_id) {
            (Authorization::None, _) => {
                return Err(ValidationErrors::here(
                    "The account's authorization is `none`: there is nothing to test.",
                ));
            }
            (Authorization::Header { .. }, None) => {
                return Err(ValidationErrors::here(
                    "is required: the account's authorization is `header`, which only a service can check",
                )
                .under("service_id"));
            }
            (Authorization::OAuth2(_), None) => return Ok(None),
            (Authorization::Header { .. } | Authorization::OAuth2(_), Some(_)) => {}
        }
        let Some(service) = service.filter(|service| service.settings.account_id == account.id)
        else {
            return Err(ValidationErrors::here(
                "must be the ID of a service that uses this account",
            )
            .under("service_id"));
        };
        let request = json!({"method": "GET", "path": self.path});
        send::parse(request, &service.settings, authorization, hops).map(Some)
    }
}
