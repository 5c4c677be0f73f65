//! Requests to token endpoints.

use std::time::Duration;

use domain::{
    account::{
        Account, OAuth2,
        oauth_tokens::{IssuedToken, Lease},
        token_response::{Report, TokenResponse, refresh_token_of_part},
    },
    outgoing::HOPS_HEADER,
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::{ExposeSecret, SecretString};

use super::Tokens;
use crate::{
    clock,
    egress::{EgressError, EgressRequest},
};

/// Maximum size of a token endpoint's response, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// A request that returned no token.
pub(super) enum TokenError {
    /// A definite error. Waiting callers need not retry.
    NoToken(String),
    /// This caller's time ran out.
    Timeout,
}

/// The result of one request to the token endpoint.
pub(super) struct Fetched {
    /// The token, or why there is none.
    pub(super) token: Result<IssuedToken, TokenError>,
    /// New refresh token, if the response contains one, even if that is an error.
    pub(super) refresh: Option<SecretString>,
    /// Status of the response, if there was one.
    pub(super) status: Option<StatusCode>,
    /// What the endpoint reports.
    pub(super) report: Report,
}

impl Tokens<'_> {
    /// Sends one request to the token endpoint.
    pub(super) async fn request(
        &self,
        account: &Account,
        settings: &OAuth2,
        lease: &Lease,
        refresh: Option<&SecretString>,
        timeout: Duration,
    ) -> Fetched {
        let request = settings.token_request(refresh);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(HOPS_HEADER, u16::from(self.hops.saturating_add(1)).into());
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if let Some(authorization) = &request.authorization {
            let Ok(mut value) = HeaderValue::try_from(authorization.expose_secret()) else {
                return refused("the client ID or secret can't be sent in a header").into();
            };
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let call = EgressRequest {
            method: Method::POST,
            url: settings.token_url.clone(),
            headers,
            body: Some(request.form.expose_secret().as_bytes().to_vec()),
            timeout,
            limit: MAX_RESPONSE_BYTES,
        };
        let now = clock::now();
        let response = match self.egress.call(call).await {
            Ok(response) => response,
            Err(error) => return TokenError::from(error).into(),
        };
        let mut secrets = account.settings.authorization.secrets();
        if let Some(token) = &refresh {
            secrets.add(token.expose_secret());
        }
        // The last value of an incomplete form may be cut.
        let whole = !response.truncated && response.incomplete.is_none();
        let (body, of_part) = if whole || domain::json::read(&response.body).is_ok() {
            (response.body, None)
        } else {
            (Vec::new(), refresh_token_of_part(&response.body))
        };
        let TokenResponse {
            token,
            refresh,
            report,
        } = TokenResponse::read(
            response.status,
            &body,
            settings.token_type,
            secrets,
            &lease.id,
            now,
        );
        let token = token.map_err(|reason| match response.incomplete {
            Some(error) if response.status.is_success() => error.into(),
            _ => TokenError::NoToken(reason),
        });
        Fetched {
            token,
            refresh: refresh.or(of_part),
            status: Some(response.status),
            report,
        }
    }
}

/// A request without a response.
impl From<TokenError> for Fetched {
    fn from(error: TokenError) -> Self {
        Self {
            token: Err(error),
            refresh: None,
            status: None,
            report: Report::default(),
        }
    }
}

impl From<EgressError> for TokenError {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Timeout => Self::Timeout,
            EgressError::Blocked(why) => refused(format!("the token endpoint is blocked: {why}")),
            EgressError::Unreachable(why) => {
                refused(format!("the token endpoint is unreachable: {why}"))
            }
        }
    }
}

fn refused(why: impl Into<String>) -> TokenError {
    TokenError::NoToken(why.into())
}
