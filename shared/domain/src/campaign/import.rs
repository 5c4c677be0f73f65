//! Plans an import: what is created, under which names, and what is reused.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{
    Bundle, Settings, accounts,
    bundle::{Imported, fold, given_keys},
};
use crate::{
    account::Account,
    egress_policy::AllowList,
    id::{CampaignId, ProviderId},
    message::Channel,
    provider,
    validation::{FieldReader, Validated, ValidationErrors, boolean, one_of},
};

/// Maximum number of names tried on a conflict, including the original.
const MAX_NAMES: usize = 20;
/// Maximum length of a name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// How to handle a name conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Use the existing resource unchanged.
    Reuse,
    /// Create it under another name.
    Rename,
    /// Reject the whole import.
    Fail,
}

const CONFLICTS: [(&str, Conflict); 3] = [
    ("reuse", Conflict::Reuse),
    ("rename", Conflict::Rename),
    ("fail", Conflict::Fail),
];

/// A request to import a bundle.
#[derive(Debug, Clone)]
pub struct Import {
    /// Whether to only report the result.
    pub dry_run: bool,
    bundle: Bundle,
    on_conflict: Conflict,
}

/// Existing resources among [`Import::names`], by lower-case name.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// Campaigns.
    pub campaigns: BTreeMap<String, CampaignId>,
    /// Providers and their channels.
    pub providers: BTreeMap<String, (ProviderId, Channel)>,
    /// Accounts.
    pub accounts: BTreeMap<String, Account>,
}

/// Names to look up before planning: those in the bundle and their possible replacements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Names of campaigns.
    pub campaigns: Vec<String>,
    /// Names of providers.
    pub providers: Vec<String>,
    /// Names of the providers' accounts.
    pub accounts: Vec<String>,
}

/// What to write in one transaction, and the report for the client.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The campaign to create.
    pub campaign: Option<(CampaignId, Settings)>,
    /// The providers to create. Those without keys can't send.
    pub providers: Vec<(ProviderId, provider::Settings)>,
    /// The report for the client.
    pub report: Report,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Created under their own names.
    pub created: Vec<Entry>,
    /// Existing resources that are used unchanged.
    pub reused: Vec<Entry>,
    /// Created under other names.
    pub renamed: Vec<Entry>,
}

/// A resource in an import report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `campaign` or `provider`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// ID; `None` if a dry run would create it.
    pub id: Option<String>,
    /// Name in this deployment.
    pub name: String,
}

/// Why nothing is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// The request has invalid fields.
    Malformed(ValidationErrors),
    /// Resources with these names exist.
    Taken(Vec<Entry>),
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Reuse,
    Rename,
}

impl Import {
    /// Parses `{bundle, on_conflict, secrets, dry_run}`. `allow` lists the extra targets that this
    /// deployment allows.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value, allow: &AllowList) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let keys = fields.defaulted("secrets", Vec::new(), given_keys);
        let bundle = fields.required("bundle", |value| {
            Bundle::parse(value, keys.as_deref().unwrap_or_default(), allow)
        });
        let on_conflict = fields.defaulted("on_conflict", Conflict::Fail, one_of(&CONFLICTS));
        let dry_run = fields.defaulted("dry_run", false, boolean);
        let stray = match (&keys, &bundle) {
            (Some(keys), Some(bundle)) => keys
                .iter()
                .map(|(name, _)| name)
                .filter(|name| !bundle.names(name))
                .collect(),
            _ => Vec::new(),
        };
        let stray = stray.into_iter().flat_map(|name| {
            ValidationErrors::here("is not a provider in the bundle")
                .under(name)
                .under("secrets")
                .0
        });
        let parsed = (|| {
            Some(Self {
                dry_run: dry_run?,
                bundle: bundle?,
                on_conflict: on_conflict?,
            })
        })();
        let import = fields.finish(parsed)?;
        ValidationErrors::check(stray.collect()).map(|()| import)
    }

    /// Names to look up before [`Import::plan`]; at most 62.
    pub fn names(&self) -> Names {
        let all = |name: &str| match self.on_conflict {
            Conflict::Rename => candidate_names(name).collect(),
            Conflict::Reuse | Conflict::Fail => vec![name.to_owned()],
        };
        Names {
            campaigns: all(&self.bundle.name),
            providers: self
                .bundle
                .providers
                .iter()
                .flat_map(|one| all(&one.settings.name))
                .collect(),
            accounts: self
                .bundle
                .providers
                .iter()
                .filter_map(|one| one.account.clone())
                .collect(),
        }
    }

    /// Plans the import. `fresh` has the IDs of created resources.
    ///
    /// # Errors
    /// Reports invalid fields, or the names already in use with [`Conflict::Fail`].
    pub fn plan(
        self,
        existing: &Existing,
        fresh: (CampaignId, [ProviderId; 2]),
    ) -> Result<Plan, ImportError> {
        let Self {
            dry_run,
            bundle,
            on_conflict,
        } = self;
        let id_of_new = |id: String| (!dry_run).then_some(id);
        let (mut problems, mut refused, mut report) = (Vec::new(), Vec::new(), Report::default());
        let (mut ids, mut created, mut taken) =
            (Vec::new(), Vec::new(), existing.providers.clone());
        for (
            at,
            (
                Imported {
                    mut settings,
                    account,
                    masks,
                },
                new,
            ),
        ) in bundle.providers.into_iter().zip(fresh.1).enumerate()
        {
            let under = |problem: ValidationErrors| {
                problem
                    .under(&at.to_string())
                    .under("providers")
                    .under("bundle")
                    .0
            };
            let found = taken.get(&fold(&settings.name)).copied();
            let Some((action, name)) = resolve(&settings.name, &taken, on_conflict) else {
                let id = found.map(|(id, _)| id.to_string());
                refused.push(Entry {
                    kind: "provider",
                    id,
                    name: settings.name,
                });
                continue;
            };
            if let (Action::Reuse, Some((id, channel))) = (action, found) {
                if channel != settings.channel {
                    let detail = format!(
                        "is the name of an existing provider for {}",
                        channel.as_str()
                    );
                    problems.extend(under(ValidationErrors::here(detail).under("name")));
                }
                report.record(action, "provider", Some(id.to_string()), name);
                ids.push(id);
                continue;
            }
            problems.extend(under(ValidationErrors(masks)));
            if let Some(name) = account
                && let Err(errors) = accounts::assign(&mut settings, &name, &existing.accounts)
            {
                problems.extend(under(errors));
            }
            taken.insert(fold(&name), (new, settings.channel));
            report.record(action, "provider", id_of_new(new.to_string()), name.clone());
            settings.name = name;
            ids.push(new);
            created.push((new, settings));
        }
        let action = resolve(&bundle.name, &existing.campaigns, on_conflict);
        if action.is_none() {
            let id = existing
                .campaigns
                .get(&fold(&bundle.name))
                .map(ToString::to_string);
            refused.push(Entry {
                kind: "campaign",
                id,
                name: bundle.name.clone(),
            });
        }
        if !problems.is_empty() {
            return Err(ImportError::Malformed(ValidationErrors(problems)));
        }
        let Some((action, name)) = action.filter(|_| refused.is_empty()) else {
            return Err(ImportError::Taken(refused));
        };
        let found = existing
            .campaigns
            .get(&fold(&bundle.name))
            .filter(|_| action == Action::Reuse);
        let id = found.map_or_else(|| id_of_new(fresh.0.to_string()), |id| Some(id.to_string()));
        report.record(action, "campaign", id, name.clone());
        let provider = |place: Option<usize>| place.and_then(|at| ids.get(at).copied());
        let settings = Settings {
            name,
            sms_provider_id: provider(bundle.sms),
            email_provider_id: provider(bundle.email),
            description: bundle.description,
        };
        let campaign = found.is_none().then_some((fresh.0, settings));
        Ok(Plan {
            campaign,
            providers: created,
            report,
        })
    }
}

impl Report {
    fn record(&mut self, action: Action, kind: &'static str, id: Option<String>, name: String) {
        let list = match action {
            Action::Create => &mut self.created,
            Action::Reuse => &mut self.reused,
            Action::Rename => &mut self.renamed,
        };
        list.push(Entry { kind, id, name });
    }
}

/// Resolves the name of a resource. `None` if the name is taken and the import must fail.
fn resolve<I>(
    name: &str,
    taken: &BTreeMap<String, I>,
    on_conflict: Conflict,
) -> Option<(Action, String)> {
    if !taken.contains_key(&fold(name)) {
        return Some((Action::Create, name.to_owned()));
    }
    match on_conflict {
        Conflict::Reuse => Some((Action::Reuse, name.to_owned())),
        Conflict::Rename => candidate_names(name)
            .find(|name| !taken.contains_key(&fold(name)))
            .map(|name| (Action::Rename, name)),
        Conflict::Fail => None,
    }
}

/// The name, then `name (2)` and so on, truncated to the maximum length.
fn candidate_names(name: &str) -> impl Iterator<Item = String> {
    (1..=MAX_NAMES).map(move |number| {
        if number == 1 {
            return name.to_owned();
        }
        let suffix = format!(" ({number})");
        let prefix: String = name.chars().take(MAX_NAME_CHARS - suffix.len()).collect();
        format!("{}{suffix}", prefix.trim_end())
    })
}
