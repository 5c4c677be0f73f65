//! What becomes of a bundle: which of it is created, under which names, and what is there already.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{
    Bundle, Settings,
    bundle::{Imported, fold, given_keys},
};
use crate::{
    id::{CampaignId, ProviderId},
    invalid::{Checked, Fields, Problems, boolean, one_of},
    message::Channel,
    provider,
    target::Allow,
};

/// How many names are tried for something whose name is taken, its own included.
const MAX_NAMES: usize = 20;
/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// What to do where a name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Take what has the name, as it is.
    Reuse,
    /// Create it under another name.
    Rename,
    /// Refuse the whole import.
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
    /// Whether only the outcome is asked for.
    pub dry_run: bool,
    bundle: Bundle,
    on_conflict: Conflict,
}

/// What is there by now of [`Import::names`], by lower-case name.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// The campaigns.
    pub campaigns: BTreeMap<String, CampaignId>,
    /// The providers, with what they carry.
    pub providers: BTreeMap<String, (ProviderId, Channel)>,
}

/// The names to look up before an import is planned: those in the bundle and those that may stand
/// in for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Of campaigns.
    pub campaigns: Vec<String>,
    /// Of providers.
    pub providers: Vec<String>,
}

/// What to write, all in one transaction, and what to tell.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The campaign to create.
    pub campaign: Option<(CampaignId, Settings)>,
    /// The providers to create. Those without keys refuse to send.
    pub providers: Vec<(ProviderId, provider::Settings)>,
    /// What the client is told.
    pub report: Report,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ImportReport)]
pub struct Report {
    /// Created under its own name.
    pub created: Vec<Entry>,
    /// There already, and taken as it is.
    pub reused: Vec<Entry>,
    /// Created under another name.
    pub renamed: Vec<Entry>,
}

/// A resource that an import touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ImportEntry)]
pub struct Entry {
    /// `campaign` or `provider`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// Its id; none where a dry run would create it.
    pub id: Option<String>,
    /// The name that it has here.
    pub name: String,
}

/// Why nothing is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// A part of the request is wrong.
    Invalid(Problems),
    /// Resources with these names exist.
    Taken(Vec<Entry>),
}

/// What becomes of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Create,
    Reuse,
    Rename,
}

impl Import {
    /// Reads `{bundle, on_conflict, secrets, dry_run}`. `allow` is the deployment's list of extra
    /// targets.
    pub fn parse(value: Value, allow: &Allow) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
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
            Problems::here("is not a provider of the bundle")
                .under(name)
                .under("secrets")
                .0
        });
        let stray = Problems(stray.collect());
        let parsed = (|| {
            Some(Self {
                dry_run: dry_run?,
                bundle: bundle?,
                on_conflict: on_conflict?,
            })
        })();
        let import = fields.finish(parsed)?;
        if stray.0.is_empty() {
            Ok(import)
        } else {
            Err(stray)
        }
    }

    /// The names to look up before [`Import::plan`]: at most 60.
    pub fn names(&self) -> Names {
        let all = |name: &str| match self.on_conflict {
            Conflict::Rename => names(name).collect(),
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
        }
    }

    /// Decides. `fresh` are the ids of what is created.
    pub fn plan(
        self,
        existing: &Existing,
        fresh: (CampaignId, [ProviderId; 2]),
    ) -> Result<Plan, Refused> {
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
                    masks,
                },
                new,
            ),
        ) in bundle.providers.into_iter().zip(fresh.1).enumerate()
        {
            let under = |problem: Problems| {
                problem
                    .under(&at.to_string())
                    .under("providers")
                    .under("bundle")
                    .0
            };
            let there = taken.get(&fold(&settings.name)).copied();
            let Some((fate, name)) = fate(&settings.name, &taken, on_conflict) else {
                let id = there.map(|(id, _)| id.to_string());
                refused.push(Entry {
                    kind: "provider",
                    id,
                    name: settings.name,
                });
                continue;
            };
            if let (Fate::Reuse, Some((id, channel))) = (fate, there) {
                if channel != settings.channel {
                    let detail = format!("is the name of a provider for {} here", channel.as_str());
                    problems.extend(under(Problems::here(detail).under("name")));
                }
                report.note(fate, "provider", Some(id.to_string()), name);
                ids.push(id);
                continue;
            }
            problems.extend(under(Problems(masks)));
            taken.insert(fold(&name), (new, settings.channel));
            report.note(fate, "provider", id_of_new(new.to_string()), name.clone());
            settings.name = name;
            ids.push(new);
            created.push((new, settings));
        }
        let fate = fate(&bundle.name, &existing.campaigns, on_conflict);
        if fate.is_none() {
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
            return Err(Refused::Invalid(Problems(problems)));
        }
        let Some((fate, name)) = fate.filter(|_| refused.is_empty()) else {
            return Err(Refused::Taken(refused));
        };
        let there = existing
            .campaigns
            .get(&fold(&bundle.name))
            .filter(|_| fate == Fate::Reuse);
        let id = there.map_or_else(|| id_of_new(fresh.0.to_string()), |id| Some(id.to_string()));
        report.note(fate, "campaign", id, name.clone());
        let provider = |place: Option<usize>| place.and_then(|at| ids.get(at).copied());
        let settings = Settings {
            name,
            sms_provider_id: provider(bundle.sms),
            email_provider_id: provider(bundle.email),
            description: bundle.description,
        };
        let campaign = there.is_none().then_some((fresh.0, settings));
        Ok(Plan {
            campaign,
            providers: created,
            report,
        })
    }
}

impl Report {
    fn note(&mut self, fate: Fate, kind: &'static str, id: Option<String>, name: String) {
        let list = match fate {
            Fate::Create => &mut self.created,
            Fate::Reuse => &mut self.reused,
            Fate::Rename => &mut self.renamed,
        };
        list.push(Entry { kind, id, name });
    }
}

/// What becomes of a resource, and the name that it has then. `None` where its name is taken and
/// the import does not go on.
fn fate<I>(
    name: &str,
    taken: &BTreeMap<String, I>,
    on_conflict: Conflict,
) -> Option<(Fate, String)> {
    if !taken.contains_key(&fold(name)) {
        return Some((Fate::Create, name.to_owned()));
    }
    match on_conflict {
        Conflict::Reuse => Some((Fate::Reuse, name.to_owned())),
        Conflict::Rename => names(name)
            .find(|name| !taken.contains_key(&fold(name)))
            .map(|name| (Fate::Rename, name)),
        Conflict::Fail => None,
    }
}

/// The name, then `name (2)` and so on, none longer than a name may be.
fn names(name: &str) -> impl Iterator<Item = String> {
    (1..=MAX_NAMES).map(move |number| {
        if number == 1 {
            return name.to_owned();
        }
        let suffix = format!(" ({number})");
        let kept: String = name.chars().take(MAX_NAME_CHARS - suffix.len()).collect();
        format!("{}{suffix}", kept.trim_end())
    })
}
