//! Deploys the stack: uploads packages to the bucket, then runs `CreateStack` or `UpdateStack` and
//! reads the outputs.

use std::{collections::BTreeMap, fs, thread, time::Duration};

use quick_xml::escape::unescape;
use url::form_urlencoded::Serializer;

use serde::{Deserialize, Serialize};

use crate::{
    StartError,
    emulator::{API_ID, Emulator},
    functions::{self, FUNCTIONS, Package},
    http::{self, HttpError},
    reload, template,
    workspace::{Workspace, at},
};

const BUCKET: &str = "deploy";
const STACK: &str = "tieline";

/// Queue URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Accepted events.
    pub events: String,
    /// First attempts.
    pub deliveries: String,
    /// Later attempts.
    pub retries: String,
    /// Dead letters.
    pub dead: String,
}

/// The deployed resources.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// Whether the stack was created by this run.
    pub(crate) created: bool,
    pub(crate) api_url: String,
    pub(crate) table: String,
    pub(crate) keyring: String,
    pub(crate) queues: Queues,
    pub(crate) functions: BTreeMap<String, String>,
}

/// Creates the stack, or updates it to this code, template and parameters. Does nothing if it is up
/// to date. With `watcher`, invocations are forwarded to its address.
pub(crate) fn deploy(
    emulator: &Emulator,
    workspace: &Workspace,
    packages: &[Package],
    parameters: &[(String, String)],
    watcher: Option<u16>,
) -> Result<Deployed, StartError> {
    let path = workspace.root.join("infra/template.yaml");
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let keys: Vec<_> = packages
        .iter()
        .map(|package| (package.function, package.key.as_str()))
        .collect();
    let body = template::packaged(&text, BUCKET, &keys).map_err(|function| {
        StartError::Deploy(format!(
            "the template has no CodeUri for the function {function}"
        ))
    })?;
    let body = match watcher {
        Some(port) => template::forwarded(&body, BUCKET, &keys, |function| {
            reload::address(port, function)
        }),
        None => body,
    };
    let body = template::without_metric_math(&template::with_numbers(&body, parameters));
    http::put(&format!("{}/{BUCKET}", emulator.base()), &[])?;
    for package in packages {
        http::put(
            &format!("{}/{BUCKET}/{}", emulator.base(), package.key),
            &package.zip,
        )?;
    }

    let created = matches!(
        describe(emulator)?.as_deref().map(status),
        None | Some("ROLLBACK_COMPLETE")
    );
    let action = if created {
        "CreateStack"
    } else {
        "UpdateStack"
    };
    match call(emulator, action, &stack_form(&body, parameters)) {
        Err(HttpError::Status { body, .. }) if body.contains("No updates are to be performed") => {}
        Err(HttpError::Status { body, .. }) => return Err(StartError::Deploy(message(&body))),
        other => {
            other?;
        }
    }
    let description = settled(emulator)?;
    if !["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&status(&description)) {
        return Err(StartError::Deploy(failures(emulator)?));
    }
    functions::prune(workspace, packages);
    deployed(created, &outputs(&description))
        .map_err(|name| StartError::Deploy(format!("the template has no output {name}")))
}

fn stack_form(body: &str, parameters: &[(String, String)]) -> Vec<(String, String)> {
    let mut form = vec![
        ("TemplateBody".to_owned(), body.to_owned()),
        (
            "Capabilities.member.1".to_owned(),
            "CAPABILITY_IAM".to_owned(),
        ),
        (
            "Capabilities.member.2".to_owned(),
            "CAPABILITY_AUTO_EXPAND".to_owned(),
        ),
        ("Tags.member.1.Key".to_owned(), "ms-custom-id".to_owned()),
        ("Tags.member.1.Value".to_owned(), API_ID.to_owned()),
    ];
    let of_template = parameters
        .iter()
        .filter(|(name, _)| !template::TIMEOUTS.contains(&name.as_str()));
    for (index, (key, value)) in (1..).zip(of_template) {
        form.push((
            format!("Parameters.member.{index}.ParameterKey"),
            key.clone(),
        ));
        form.push((
            format!("Parameters.member.{index}.ParameterValue"),
            value.clone(),
        ));
    }
    form
}

fn call(emulator: &Emulator, action: &str, form: &[(String, String)]) -> Result<String, HttpError> {
    let body = Serializer::new(String::new())
        .append_pair("Action", action)
        .append_pair("Version", "2010-05-15")
        .append_pair("StackName", STACK)
        .extend_pairs(form)
        .finish();
    Ok(http::post(
        &emulator.base(),
        "cloudformation",
        "application/x-www-form-urlencoded",
        &body,
    )?
    .body)
}

/// Returns the stack's description, if the stack exists.
fn describe(emulator: &Emulator) -> Result<Option<String>, HttpError> {
    match call(emulator, "DescribeStacks", &[]) {
        Err(HttpError::Status { body, .. }) if body.contains("does not exist") => Ok(None),
        other => other.map(Some),
    }
}

/// Returns the description once no operation is in progress.
fn settled(emulator: &Emulator) -> Result<String, StartError> {
    loop {
        let description = describe(emulator)?.unwrap_or_default();
        if !status(&description).ends_with("_IN_PROGRESS") {
            return Ok(description);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn status(description: &str) -> &str {
    first(description, "StackStatus").unwrap_or_default()
}

/// Returns each failed resource with its reason, in order of failure.
fn failures(emulator: &Emulator) -> Result<String, HttpError> {
    let events = call(emulator, "DescribeStackEvents", &[])?;
    // Validation errors are reported separately from the stack's events.
    let validations = call(emulator, "DescribeEvents", &[])?;
    Ok([reasons(&validations), reasons(&events)]
        .concat()
        .join("\n"))
}

/// Returns the failures since the stack's last operation started. Events come newest first.
fn reasons(events: &str) -> Vec<String> {
    let began = |event: &&str| {
        first(event, "LogicalResourceId") == Some(STACK)
            && ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"]
                .contains(&first(event, "ResourceStatus").unwrap_or_default())
    };
    let mut lines: Vec<_> = all(events, "member")
        .take_while(|event| !began(event))
        .filter_map(|event| {
            let resource =
                first(event, "LogicalResourceId").filter(|resource| *resource != STACK)?;
            let failed =
                first(event, "ResourceStatus").is_some_and(|status| status.ends_with("_FAILED"));
            let reason = first(event, "ValidationStatusReason")
                .or_else(|| first(event, "ResourceStatusReason").filter(|_| failed))?;
            Some(format!("{resource}: {}", plain(reason)))
        })
        .collect();
    lines.reverse();
    lines
}

fn message(error: &str) -> String {
    first(error, "Message").map_or_else(|| error.to_owned(), plain)
}

fn outputs(description: &str) -> BTreeMap<String, String> {
    first(description, "Outputs")
        .into_iter()
        .flat_map(|outputs| all(outputs, "member"))
        .filter_map(|output| {
            Some((
                first(output, "OutputKey")?.to_owned(),
                plain(first(output, "OutputValue")?),
            ))
        })
        .collect()
}

/// Reads the names from the outputs. The error is the missing output.
fn deployed(created: bool, outputs: &BTreeMap<String, String>) -> Result<Deployed, String> {
    let output = |name: &str| outputs.get(name).cloned().ok_or_else(|| name.to_owned());
    let functions = FUNCTIONS.into_iter().map(|name| {
        Ok((
            name.to_owned(),
            output(&format!("{}FunctionName", pascal(name)))?,
        ))
    });
    Ok(Deployed {
        created,
        api_url: output("ApiUrl")?,
        table: output("TableName")?,
        keyring: output("KeyringArn")?,
        queues: Queues {
            events: output("EventsQueueUrl")?,
            deliveries: output("DeliveriesQueueUrl")?,
            retries: output("RetriesQueueUrl")?,
            dead: output("DeadQueueUrl")?,
        },
        functions: functions.collect::<Result<_, String>>()?,
    })
}

/// Converts a function's name to the template's spelling: `config-api` becomes `ConfigApi`.
fn pascal(name: &str) -> String {
    name.split('-')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

/// Returns the contents of the first element with that name. The emulator's responses are flat
/// enough for this.
fn first<'a>(xml: &'a str, element: &str) -> Option<&'a str> {
    all(xml, element).next()
}

fn all<'a>(xml: &'a str, element: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let start = rest.find(&open)? + open.len();
        let end = start + rest[start..].find(&close)?;
        let contents = &rest[start..end];
        rest = &rest[end..];
        Some(contents)
    })
}

fn plain(text: &str) -> String {
    unescape(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_unescaped() {
        let xml = "<Stacks><member><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>\
            <member><OutputKey>TableName</OutputKey><OutputValue>t&amp;1</OutputValue></member>\
            <member><OutputKey>ApiUrl</OutputKey><OutputValue>http://h/api</OutputValue></member>\
            </Outputs></member></Stacks>";
        assert_eq!(status(xml), "CREATE_COMPLETE");
        let outputs = outputs(xml);
        assert_eq!(outputs["TableName"], "t&1");
        assert_eq!(outputs["ApiUrl"], "http://h/api");
        assert_eq!(deployed(true, &outputs).unwrap_err(), "KeyringArn");
    }

    #[test]
    fn failures_are_listed_in_order() {
        let event = |resource: &str, status: &str, reason: &str| {
            format!(
                "<member><LogicalResourceId>{resource}</LogicalResourceId><ResourceStatus>{status}</ResourceStatus>\
                 <ResourceStatusReason>{reason}</ResourceStatusReason></member>"
            )
        };
        let events = [
            event("tieline", "ROLLBACK_IN_PROGRESS", "[Queue, Table]"),
            event("Keyring", "CREATE_COMPLETE", ""),
            event("Table", "CREATE_FAILED", "&quot;KeySchema&quot; is missing"),
            event("Queue", "CREATE_FAILED", "too late"),
            event("tieline", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Queue", "UPDATE_FAILED", "of an earlier try"),
        ];
        assert_eq!(
            reasons(&events.concat()),
            ["Queue: too late", "Table: \"KeySchema\" is missing"]
        );
        let validation = "<member><LogicalResourceId>Bucket</LogicalResourceId>\
            <ValidationStatusReason>taken</ValidationStatusReason></member>";
        assert_eq!(reasons(validation), ["Bucket: taken"]);
    }

    #[test]
    fn function_names_match_the_template() {
        assert_eq!(pascal("config-api"), "ConfigApi");
        assert_eq!(pascal("delivery"), "Delivery");
    }
}
