//! Who may call a route: the scope that its OpenAPI operation names, and no one when it names none.
//!
//! The same document that clients read decides, so that a route can't be documented one way and
//! guarded another.

use std::{collections::HashMap, fmt::Display, net::IpAddr, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
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
use http::{HeaderMap, Method, header::AUTHORIZATION};
use lambda_http::{RequestExt, request::RequestContext};
use platform::{
    clock,
    table::{TableError, audit},
};
use serde_json::{Value, json};

use super::{Answer, Problem};
use crate::App;

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The credential whose token was sent.
    pub credential: CredentialId,
    /// The user who holds it.
    pub user: UserId,
    /// What it may do, and so what it may hand on.
    pub scopes: Scopes,
    /// How many times what led to this request left Tieline: what it starts counts on from there.
    pub hops: u8,
}

impl Caller {
    /// The audit entry of what the caller does now.
    pub fn entry(&self, action: &str, resource: &impl Display, changes: Vec<String>) -> Entry {
        audit::entry(
            Actor::Credential(self.credential),
            action,
            resource,
            changes,
        )
    }

    /// Refuses a caller without the scope.
    pub fn needs(&self, scope: Scope) -> Answer<()> {
        if self.scopes.grants(scope) {
            Ok(())
        } else {
            Err(Problem::forbidden(scope.as_str()))
        }
    }
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Nothing.
    Public,
    /// Any token.
    Token,
    /// A token with this scope.
    Scope(Scope),
    /// The document says nothing that could be kept: nobody may.
    Closed,
}

/// The rules of all routes.
#[derive(Debug)]
pub struct Rules(HashMap<(Method, String), Rule>);

/// The name of the security scheme in the OpenAPI document.
pub const SCHEME: &str = "token";

impl Rules {
    /// Reads them from the OpenAPI document. An operation without `security`, or with a scope that
    /// does not exist, has no rule, and is refused to everybody.
    pub fn of(document: &Value) -> Self {
        let mut rules = HashMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let rule = match operation["security"].as_array().map(Vec::as_slice) {
                    Some([]) => Rule::Public,
                    Some([security]) if *security == json!({}) => Rule::Public,
                    Some([security]) if *security == json!({SCHEME: []}) => Rule::Token,
                    Some([security]) => {
                        let scope = security[SCHEME][0]
                            .as_str()
                            .and_then(|name| name.parse().ok());
                        scope.map_or(Rule::Closed, Rule::Scope)
                    }
                    _ => Rule::Closed,
                };
                if let Ok(method) = method.to_uppercase().parse() {
                    rules.insert((method, path.clone()), rule);
                }
            }
        }
        Self(rules)
    }

    /// The methods that a route has, as an `Allow` header lists them.
    pub fn allowed(&self, path: &str) -> Vec<String> {
        let mut allowed: Vec<String> = self
            .0
            .keys()
            .filter(|(_, known)| known == path)
            .map(|(method, _)| method.to_string())
            .collect();
        if allowed.iter().any(|method| method == "GET") {
            allowed.push("HEAD".to_owned());
        }
        allowed.sort();
        allowed
    }

    fn find(&self, method: &Method, path: &str) -> Option<Rule> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.0.get(&(method.clone(), path.to_owned())).copied()
    }
}

/// Lets the request pass if its token may use the route.
pub async fn check(
    State(app): State<Arc<App>>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Answer<Response> {
    match app.rules.find(request.method(), path.as_str()) {
        Some(Rule::Public) => {}
        Some(rule @ (Rule::Token | Rule::Scope(_))) => {
            let caller = authorize(&app, request.headers(), source(&request)).await?;
            if let Rule::Scope(scope) = rule {
                caller.needs(scope)?;
            }
            request.extensions_mut().insert(caller);
        }
        Some(Rule::Closed) | None => return Err(Problem::internal("the route has no scope")),
    }
    Ok(next.run(request).await)
}

/// The address that the request came from, by the gateway's word: a client can't forge it as it
/// could a header.
fn source(request: &Request) -> Option<IpAddr> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return None;
    };
    context.http.source_ip.as_deref()?.parse().ok()
}

async fn authorize(app: &App, headers: &HeaderMap, source: Option<IpAddr>) -> Answer<Caller> {
    // A malformed token is refused by its checksum, without a read.
    let token = bearer(headers)
        .and_then(|text| Token::parse(text).ok())
        .ok_or_else(Problem::unauthorized)?;
    let hash = app.keys.get().await?.token_key(token.expose());
    let grant = app
        .table
        .grant(&hash)
        .await?
        .ok_or_else(Problem::unauthorized)?;
    let now = clock::now();
    let counts = grant.is_live(now)
        && app
            .table
            .user(grant.user)
            .await?
            .is_some_and(|holder| holder.user.settings.active);
    if !counts || !grant.allowed_ips.allow(source) {
        let actor = Actor::Credential(grant.credential);
        let entry = audit::entry(actor, "token.refused", &grant.credential, Vec::new());
        noted(
            app.table.note_refused(grant.credential, &entry).await,
            "a rejected token",
        );
        return Err(if counts {
            Problem::address_not_allowed()
        } else {
            Problem::unauthorized()
        });
    }
    if grant.use_is_news(now) {
        noted(
            app.table.token_used(&hash, now).await,
            "the last use of a token",
        );
    }
    let hops = hops(headers).map_err(Problem::loop_detected)?;
    Ok(Caller {
        credential: grant.credential,
        user: grant.user,
        scopes: grant.scopes,
        hops,
    })
}

/// The answer stands without what is only noted beside it.
fn noted(result: Result<(), TableError>, what: &str) {
    if let Err(error) = result {
        tracing::error!(%error, what, "not recorded");
    }
}

/// The scheme's name does not regard case (RFC 9110 §11.1). Two such headers are none.
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
    fn the_document_decides_and_what_it_leaves_open_is_closed() {
        let rules = Rules::of(&json!({"paths": {
            "/a": {"get": {"security": []}, "delete": {"security": [{"token": []}]}, "post": {"security": [{"token": ["events:write"]}]}},
            "/b": {"get": {}, "post": {"security": [{"other": []}]}, "put": {"security": [{"token": ["no:such"]}]}},
        }}));
        assert_eq!(rules.find(&Method::GET, "/a"), Some(Rule::Public));
        assert_eq!(rules.find(&Method::HEAD, "/a"), Some(Rule::Public));
        assert_eq!(rules.find(&Method::DELETE, "/a"), Some(Rule::Token));
        assert_eq!(
            rules.find(&Method::POST, "/a"),
            Some(Rule::Scope(Scope::EventsWrite))
        );
        for method in [Method::GET, Method::POST, Method::PUT] {
            assert_eq!(rules.find(&method, "/b"), Some(Rule::Closed), "{method}");
        }
        assert_eq!(rules.find(&Method::PUT, "/a"), None);
    }
}
