//! Authentication and authorization: each route requires the scope that its OpenAPI operation
//! declares.
//!
//! The OpenAPI document is the only source of these rules, so documentation and enforcement can't
//! diverge. Routes that declare no scope reject all requests.

use std::{
    collections::HashMap,
    fmt::Display,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use domain::{
    audit::{Actor, Entry},
    id::{CredentialId, UserId},
    inbound::hops,
    scope::{Scope, Scopes},
    token::Token,
};
use http::{HeaderMap, Method, header::AUTHORIZATION, request::Parts};
use lambda_http::{RequestExt, request::RequestContext};
use platform::{
    clock,
    table::{TableError, audit},
};
use serde_json::{Value, json};
use utoipa_axum::router::UtoipaMethodRouter;

use super::{ApiResult, Endpoint, Problem};
use crate::App;

/// The authenticated caller of a request.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The credential that the token belongs to.
    pub credential: CredentialId,
    /// The user who owns the credential.
    pub user: UserId,
    /// The scopes of the credential. The caller can grant only these.
    pub scopes: Scopes,
    /// How many times the chain of requests has already passed through Tieline (`tieline-hops`).
    pub hops: u8,
}

impl Principal {
    /// Returns an audit entry for an action of the caller, timestamped now.
    pub fn entry(&self, action: &str, resource: &impl Display, changes: Vec<String>) -> Entry {
        audit::entry(
            Actor::Credential(self.credential),
            action,
            resource,
            changes,
        )
    }

    /// Returns 403 if the caller lacks the scope.
    pub fn require_scope(&self, scope: Scope) -> ApiResult<()> {
        if self.scopes.grants(scope) {
            Ok(())
        } else {
            Err(Problem::forbidden(scope.as_str()))
        }
    }

    /// Returns 403 if the caller lacks some of `scopes`. `subject` starts the detail, such as `The
    /// credential has`.
    pub fn require_all(&self, scopes: &Scopes, subject: &str) -> ApiResult<()> {
        let missing = self.scopes.lack(scopes);
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Problem::missing_scopes(subject, &missing))
        }
    }
}

/// The caller that [`authenticate`] resolved. Routes without a token have none.
impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::internal("the route has no authenticated caller"))
    }
}

/// The access that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// No token.
    Public,
    /// Any token.
    Token,
    /// A token with this scope.
    Scope(Scope),
    /// No access: the document declares no valid requirement.
    Closed,
}

/// The access rules of all routes, by path template and method.
#[derive(Debug)]
pub struct RouteScopes(HashMap<&'static str, Vec<(Method, Rule)>>);

/// An access rule. It is read from the endpoint's documentation when it is first needed.
#[derive(Debug)]
struct Rule {
    documented: fn() -> UtoipaMethodRouter<Arc<App>>,
    access: OnceLock<Access>,
}

/// The users of recently used tokens, by the tokens' keyed hashes: hints that let both rows be read
/// in one request. The rows alone decide on access.
#[derive(Debug, Default)]
pub struct TokenUsers(Mutex<HashMap<String, UserId>>);

/// Maximum number of tokens whose users are remembered. All are forgotten when it is reached.
const MAX_REMEMBERED: usize = 1000;

impl TokenUsers {
    fn of(&self, token: &str) -> Option<UserId> {
        self.lock().get(token).copied()
    }

    fn remember(&self, token: &str, user: UserId) {
        let mut users = self.lock();
        if users.get(token) == Some(&user) {
            return;
        }
        if users.len() >= MAX_REMEMBERED {
            users.clear();
        }
        users.insert(token.to_owned(), user);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, UserId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the security scheme in the OpenAPI document.
pub const SCHEME: &str = "token";

impl Access {
    /// Reads the `security` of a documented operation. Without one, or with an unknown scope, it
    /// rejects all requests.
    fn of(security: &Value) -> Self {
        match security.as_array().map(Vec::as_slice) {
            Some([]) => Self::Public,
            Some([security]) if *security == json!({}) => Self::Public,
            Some([security]) if *security == json!({SCHEME: []}) => Self::Token,
            Some([security]) => {
                let scope = security[SCHEME][0]
                    .as_str()
                    .and_then(|name| name.parse().ok());
                scope.map_or(Self::Closed, Self::Scope)
            }
            _ => Self::Closed,
        }
    }
}

impl RouteScopes {
    /// The rules of these endpoints.
    pub fn new(endpoints: &[Endpoint]) -> Self {
        let mut rules = HashMap::<_, Vec<_>>::new();
        for endpoint in endpoints {
            let rule = Rule {
                documented: endpoint.documented,
                access: OnceLock::new(),
            };
            let of_path = rules.entry(endpoint.path).or_default();
            of_path.push((endpoint.method.clone(), rule));
        }
        Self(rules)
    }

    /// The methods of a route, sorted, as the `Allow` header lists them.
    pub fn allowed(&self, path: &str) -> Vec<String> {
        let methods = self.0.get(path).into_iter().flatten();
        let mut allowed: Vec<String> = methods.map(|(method, _)| method.to_string()).collect();
        if allowed.iter().any(|method| method == "GET") {
            allowed.push("HEAD".to_owned());
        }
        allowed.sort();
        allowed
    }

    fn find(&self, method: &Method, path: &str) -> Option<Access> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let (_, rule) = self
            .0
            .get(path)?
            .iter()
            .find(|(known, _)| known == method)?;
        let access = rule.access.get_or_init(|| {
            let (_, paths, _) = (rule.documented)();
            let operation = json!(paths)[path][method.as_str().to_lowercase()].take();
            Access::of(&operation["security"])
        });
        Some(*access)
    }
}

/// Middleware that authenticates the request and checks the route's scope.
pub async fn authenticate(
    State(app): State<Arc<App>>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> ApiResult<Response> {
    match app.rules.find(request.method(), path.as_str()) {
        Some(Access::Public) => {}
        Some(rule @ (Access::Token | Access::Scope(_))) => {
            let caller = resolve_caller(&app, request.headers(), source_ip(&request)).await?;
            if let Access::Scope(scope) = rule {
                caller.require_scope(scope)?;
            }
            request.extensions_mut().insert(caller);
        }
        Some(Access::Closed) | None => return Err(Problem::internal("the route has no scope")),
    }
    Ok(next.run(request).await)
}

/// The client's IP address as the gateway reports it. Clients can't forge it, unlike a header.
fn source_ip(request: &Request) -> Option<IpAddr> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return None;
    };
    context.http.source_ip.as_deref()?.parse().ok()
}

async fn resolve_caller(
    app: &App,
    headers: &HeaderMap,
    source_ip: Option<IpAddr>,
) -> ApiResult<Principal> {
    // The checksum rejects malformed tokens without a table read.
    let token = bearer(headers)
        .and_then(|text| Token::parse(text).ok())
        .ok_or_else(Problem::unauthorized)?;
    let hash = app.keys.get().await?.token_key(token.expose());
    let found = app.table.grant(&hash, app.users.of(&hash)).await?;
    let (grant, user) = found.ok_or_else(Problem::unauthorized)?;
    app.users.remember(&hash, grant.user);
    let now = clock::now();
    let valid = grant.is_live(now) && user.is_some_and(|holder| holder.user.settings.active);
    if !valid || !grant.allowed_ips.allow(source_ip) {
        let actor = Actor::Credential(grant.credential);
        let entry = audit::entry(actor, "token.refused", &grant.credential, Vec::new());
        log_failure(
            app.table
                .record_rejected_use(grant.credential, &entry)
                .await,
            "a rejected token",
        );
        return Err(if valid {
            Problem::address_not_allowed()
        } else {
            Problem::unauthorized()
        });
    }
    if grant.should_record_use(now) {
        log_failure(
            app.table.record_token_use(&hash, now).await,
            "the last use of a token",
        );
    }
    let hops = hops(headers).map_err(Problem::loop_detected)?;
    Ok(Principal {
        credential: grant.credential,
        user: grant.user,
        scopes: grant.scopes,
        hops,
    })
}

/// Logs a failed write of secondary data. The response does not depend on it.
fn log_failure(result: Result<(), TableError>, what: &str) {
    if let Err(error) = result {
        tracing::error!(%error, what, "could not be recorded");
    }
}

/// Returns the bearer token. The scheme is case-insensitive (RFC 9110 §11.1); repeated headers are
/// rejected.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values
        .next()
        .filter(|_| values.next().is_none())?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_without_a_valid_scope_are_closed() {
        for (security, access) in [
            (json!([]), Access::Public),
            (json!([{}]), Access::Public),
            (json!([{"token": []}]), Access::Token),
            (
                json!([{"token": ["events:write"]}]),
                Access::Scope(Scope::EventsWrite),
            ),
            (Value::Null, Access::Closed),
            (json!([{"other": []}]), Access::Closed),
            (json!([{"token": ["no:such"]}]), Access::Closed),
            (json!([{"token": []}, {}]), Access::Closed),
        ] {
            assert_eq!(Access::of(&security), access, "{security}");
        }
    }

    #[test]
    fn rules_are_those_of_the_document() {
        let rules = RouteScopes::new(&crate::routes::all());
        let document = json!(crate::routes::documented().paths);
        let paths = document.as_object().expect("paths");
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().expect("operations") {
                let method = method.to_uppercase().parse().expect("a method");
                let access = Access::of(&operation["security"]);
                assert_eq!(rules.find(&method, path), Some(access), "{method} {path}");
                assert_ne!(access, Access::Closed, "{method} {path}");
            }
        }
        assert_eq!(rules.0.len(), paths.len());
        assert_eq!(rules.find(&Method::HEAD, "/healthz"), Some(Access::Public));
        assert_eq!(rules.find(&Method::PUT, "/healthz"), None);
    }
}
