//! Processes that call one service, whose account gets its tokens from an authorization server.

use std::time::Duration;

use domain::{
    account::{Account, Settings},
    audit::{Actor, Entry},
};
use jiff::Timestamp;
use platform::{
    clock,
    egress::{Egress, EgressRequest},
    keyring::KeyringCache,
    oauth::Tokens,
    random,
    service_client::{self, Authorized, ConnectError},
    table::{
        Table,
        accounts::{StoredAccount, Uses},
        audit,
    },
};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use tests::{
    fake::{
        FaultPlan,
        functions::Clients,
        system::{System, allow},
    },
    receiver::{Receiver, Reply, Request},
};

/// A process that makes calls. Processes share only the table.
pub(crate) struct Process {
    pub(crate) table: Table,
    pub(crate) keys: KeyringCache,
    pub(crate) egress: Egress,
}

/// The system with the service, its authorization server, and its account.
pub(crate) struct OAuthFixture {
    pub(crate) system: System,
    pub(crate) server: Receiver,
    pub(crate) issuer: Receiver,
    pub(crate) account: Account,
}

fn entry(account: &Account) -> Entry {
    audit::entry(Actor::System, "account.changed", &account.id, Vec::new())
}

/// The account's document with these fields of its authorization replaced.
fn settings(mut document: Value, fields: &Value) -> Settings {
    let authorization = document["authorization"]
        .as_object_mut()
        .expect("an object");
    authorization.extend(fields.as_object().expect("an object").clone());
    Settings::parse(document, &allow()).expect("settings")
}

/// A token that is valid for an hour. Its last minute is not used.
pub(crate) fn token(access: &str) -> Reply {
    Reply::status(200).body(
        json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600}).to_string(),
    )
}

impl OAuthFixture {
    pub(crate) async fn new(issuer: Receiver) -> Self {
        Self::with(issuer, &json!({"grant_type": "client_credentials"})).await
    }

    /// Starts with these fields of the account's authorization replaced.
    pub(crate) async fn with(issuer: Receiver, fields: &Value) -> Self {
        let system = System::new(&Egress::new(allow())).await;
        let authorization = json!({
            "type": "oauth2", "token_url": issuer.url_of("/token"), "client_id": "client",
            "client_secret": "the client's secret",
        });
        let settings = settings(
            json!({"name": "CRM", "authorization": authorization}),
            fields,
        );
        let id = system.at(async { random::id() }).await;
        let account = Account::new(id, settings, system.time());
        let (table, keys) = (&system.delivery.table, &system.delivery.keys);
        system
            .at(table.create_account(&account, keys, &entry(&account)))
            .await
            .expect("created");
        Self {
            system,
            server: Receiver::start(),
            issuer,
            account,
        }
    }

    /// A new process. It has read the keyring, so that its calls are only those about tokens.
    pub(crate) async fn process(&self) -> Process {
        let clients = Clients::new(&self.system.fake);
        let keys = clients.keys();
        self.system.at(keys.get()).await.expect("a keyring");
        Process {
            table: clients.table(),
            keys,
            egress: Egress::new(allow()),
        }
    }

    /// Changes the account's name and these fields of its authorization, as an admin does.
    pub(crate) async fn change(&self, before: &Account, name: &str, fields: &Value) -> Account {
        let mut document = Value::Object(before.settings.to_map());
        document["name"] = json!(name);
        let after = before
            .clone()
            .changed(settings(document, fields), self.system.time());
        let (table, keys) = (&self.system.delivery.table, &self.system.delivery.keys);
        let used = StoredAccount {
            account: before.clone(),
            uses: Uses::default(),
        };
        self.system
            .at(table.update_account(&used, &after, keys, &entry(&after)))
            .await
            .expect("changed");
        after
    }

    /// Deletes the account.
    pub(crate) async fn delete(&self) {
        let table = &self.system.delivery.table;
        self.system
            .at(table.delete_account(&self.account, &entry(&self.account)))
            .await
            .expect("deleted");
    }

    /// Makes a call in a process with this timeout. Returns the status or the error.
    pub(crate) async fn call(
        &self,
        process: &Process,
        timeout: Duration,
    ) -> Result<u16, ConnectError> {
        self.call_with(process, &self.account, self.system.time(), timeout)
            .await
    }

    /// Like [`Self::call`], for a process that read the account in this state, and at another time.
    pub(crate) async fn call_with(
        &self,
        process: &Process,
        account: &Account,
        time: Timestamp,
        timeout: Duration,
    ) -> Result<u16, ConnectError> {
        let tokens = Tokens {
            table: &process.table,
            keys: &process.keys,
            egress: &process.egress,
            hops: 1,
        };
        let call = EgressRequest {
            method: Method::GET,
            url: self.server.url().parse().expect("a URL"),
            headers: HeaderMap::new(),
            body: None,
            timeout,
            limit: 1024,
        };
        let response = Box::pin(clock::at(time, service_client::call(tokens, account, call))).await;
        response.map(|Authorized { response, .. }| response.status.as_u16())
    }

    /// Makes a call in a new process whose `n`th operation has this fault. Returns `None` if the
    /// process crashes.
    pub(crate) async fn call_broken(
        &self,
        n: usize,
        fault: FaultPlan,
        timeout: Duration,
    ) -> Option<Result<u16, ConnectError>> {
        let process = self.process().await;
        self.system.begin_count();
        self.system.fake.plan(move |call| {
            if call.index == n {
                fault
            } else {
                FaultPlan::NoFault
            }
        });
        let crash = self.system.fake.crash();
        let result = tokio::select! {
            biased;
            () = crash.notified() => None,
            result = self.call(&process, timeout) => Some(result),
        };
        self.system.fake.plan(|_| FaultPlan::NoFault);
        result
    }

    /// The tokens that the service was called with, in order.
    pub(crate) fn bearers(&self) -> Vec<String> {
        let authorization = |request: &Request| request.header("authorization").to_owned();
        self.server.requests().iter().map(authorization).collect()
    }

    /// The number of token requests.
    pub(crate) fn asked(&self) -> usize {
        self.issuer.requests().len()
    }
}
