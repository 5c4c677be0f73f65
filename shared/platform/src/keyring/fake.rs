//! In-process fake of Secrets Manager with one secret, by AWS's rules: a version's value is written
//! once, a stage is on at most one version, and moving it requires the version that has it. Can
//! drop a response, before or after the operation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::KeyringCache;
use crate::{aws, encryption::Keyring};

pub(super) const NAME: &str = "keyring";
pub(super) const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:keyring-AbCdEf";

#[derive(Clone, Default)]
pub(super) struct Secret(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    versions: BTreeMap<String, Version>,
    pub(super) rotation_enabled: bool,
    /// Number of reads of a value.
    pub(super) reads: usize,
    /// Number of requests that changed something.
    pub(super) writes: usize,
    pub(super) down: bool,
    /// Index of the request, counted from 0, whose response is dropped.
    pub(super) crash: Option<(usize, Crash)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    Before,
    After,
}

#[derive(Default)]
struct Version {
    value: Option<String>,
    stages: BTreeSet<String>,
}

impl Secret {
    pub(super) fn holding(ring: &Keyring) -> Self {
        let secret = Self::default();
        secret.replace(ring.to_json().expose_secret());
        secret
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("lock")
    }

    /// A separate client, as another function instance has it.
    pub(super) fn keys(&self) -> KeyringCache {
        let secret = self.clone();
        let aws = aws::fake(move |action, input| secret.state().respond(action, &input));
        KeyringCache::new(aws.secrets_manager(), ARN.into())
    }

    /// Stores another value from outside.
    pub(super) fn replace(&self, value: &str) {
        let mut state = self.state();
        let id = format!("00000000-0000-4000-8000-{:012}", state.versions.len());
        let (status, _) = state.respond(
            "PutSecretValue",
            &json!({"ClientRequestToken": id, "SecretString": value, "SecretId": ARN}),
        );
        assert_eq!(status, 200);
    }

    /// What `RotateSecret` does before it invokes the function.
    pub(super) fn begin(&self, version: &str) {
        let mut state = self.state();
        state.rotation_enabled = true;
        state.versions.entry(version.to_owned()).or_default();
        state.stage("AWSPENDING", version);
    }

    /// ID of the version that has this stage.
    pub(super) fn staged(&self, stage: &str) -> Option<String> {
        self.state().staged(stage)
    }

    /// Value of a version.
    pub(super) fn value(&self, version: &str) -> Option<String> {
        self.state().versions.get(version)?.value.clone()
    }

    /// Keyring of a stage.
    pub(super) fn ring(&self, stage: &str) -> Option<Keyring> {
        let value = self.value(&self.staged(stage)?)?;
        Some(Keyring::from_json(&value.into()).expect("keyring"))
    }
}

impl State {
    fn respond(&mut self, action: &str, input: &Value) -> (u16, Value) {
        let lost = (
            500,
            json!({"__type": "InternalServiceError", "message": "down"}),
        );
        if self.down {
            return lost;
        }
        match self.crash.take() {
            Some((0, Crash::Before)) => return lost,
            Some((0, Crash::After)) => {
                self.perform(action, input);
                return lost;
            }
            Some((more, crash)) => self.crash = Some((more - 1, crash)),
            None => {}
        }
        self.perform(action, input)
    }

    fn perform(&mut self, action: &str, input: &Value) -> (u16, Value) {
        assert!([NAME, ARN].contains(&text(input, "SecretId").expect("SecretId")));
        match action {
            "DescribeSecret" => self.describe(),
            "GetSecretValue" => self.get(input),
            "PutSecretValue" => self.put(input),
            "UpdateSecretVersionStage" => self.update_stage(input),
            other => panic!("unexpected {other}"),
        }
    }

    fn describe(&self) -> (u16, Value) {
        let staged = self
            .versions
            .iter()
            .filter(|(_, version)| !version.stages.is_empty());
        let versions: BTreeMap<_, _> = staged.map(|(id, version)| (id, &version.stages)).collect();
        let mut described = json!({"ARN": ARN, "Name": NAME, "VersionIdsToStages": versions});
        // AWS omits it for a secret that never had a rotation.
        if self.rotation_enabled {
            described["RotationEnabled"] = true.into();
        }
        (200, described)
    }

    fn get(&mut self, input: &Value) -> (u16, Value) {
        self.reads += 1;
        let stage = text(input, "VersionStage");
        let id = match text(input, "VersionId") {
            Some(id) => Some(id.to_owned()),
            None => self.staged(stage.unwrap_or("AWSCURRENT")),
        };
        let version = id.as_ref().and_then(|id| self.versions.get(id));
        let version =
            version.filter(|version| stage.is_none_or(|stage| version.stages.contains(stage)));
        match version.and_then(|version| version.value.as_ref()) {
            Some(value) => (200, json!({"SecretString": value, "VersionId": id})),
            None => refused("ResourceNotFoundException"),
        }
    }

    fn put(&mut self, input: &Value) -> (u16, Value) {
        let (id, value) = (
            text(input, "ClientRequestToken"),
            text(input, "SecretString"),
        );
        let (id, value) = (id.expect("token"), value.expect("value"));
        assert!((32..=64).contains(&id.len()) && (1..=65_536).contains(&value.len()));
        match self
            .versions
            .get(id)
            .and_then(|version| version.value.as_deref())
        {
            Some(stored) if stored == value => return (200, json!({})),
            Some(_) => return refused("ResourceExistsException"),
            None => {}
        }
        self.writes += 1;
        let first = self.versions.is_empty();
        self.versions.entry(id.to_owned()).or_default().value = Some(value.to_owned());
        match input["VersionStages"].as_array() {
            Some(stages) => stages
                .iter()
                .for_each(|stage| self.stage(stage.as_str().expect("stage"), id)),
            None => self.stage("AWSCURRENT", id),
        }
        if first {
            self.stage("AWSCURRENT", id);
        }
        (200, json!({}))
    }

    fn update_stage(&mut self, input: &Value) -> (u16, Value) {
        let (stage, to) = (
            text(input, "VersionStage").expect("stage"),
            text(input, "MoveToVersionId").expect("to"),
        );
        if !self.versions.contains_key(to) {
            return refused("ResourceNotFoundException");
        }
        if self
            .staged(stage)
            .as_deref()
            .is_some_and(|on| on != to && Some(on) != text(input, "RemoveFromVersionId"))
        {
            return refused("InvalidParameterException");
        }
        self.writes += 1;
        self.stage(stage, to);
        (200, json!({}))
    }

    fn staged(&self, stage: &str) -> Option<String> {
        self.versions
            .iter()
            .find(|(_, version)| version.stages.contains(stage))
            .map(|(id, _)| id.clone())
    }

    fn stage(&mut self, stage: &str, to: &str) {
        let from = self.staged(stage);
        for version in self.versions.values_mut() {
            version.stages.remove(stage);
        }
        self.versions
            .get_mut(to)
            .expect("version")
            .stages
            .insert(stage.to_owned());
        if let Some(from) = from.filter(|from| stage == "AWSCURRENT" && from != to) {
            self.stage("AWSPREVIOUS", &from);
        }
    }
}

fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input[name].as_str()
}

fn refused(code: &str) -> (u16, Value) {
    (400, json!({"__type": code, "message": "no"}))
}
