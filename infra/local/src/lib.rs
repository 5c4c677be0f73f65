//! Runs the production template on this machine, without an AWS account or Docker.
//!
//! Takes [`Options`] and returns a [`Running`] stack that serves HTTP, with all resources of
//! `infra/template.yaml`. Steps: install the emulator (once, with pinned versions, under
//! `target/tools/`), build the functions as `cargo test` does, start the emulator on 127.0.0.1,
//! create or update the stack, create the first admin.
//!
//! Guarantees: nothing listens beyond the loopback interface. All started processes end when the
//! [`Running`] is dropped, and also when this process dies for any reason. A second start uses the
//! state of the first.

mod bootstrap;
mod deploy;
mod emulator;
mod error;
mod functions;
mod http;
mod ready;
mod reload;
mod stack;
mod template;
mod tools;
mod workspace;

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::atomic::AtomicBool,
};

pub use deploy::Queues;
use emulator::Emulator;
pub use error::StartError;
pub use functions::{FUNCTIONS, is_cargos_own};
use reload::Watcher;
pub use stack::{Aws, Stack};
use tools::{CARGO_LAMBDA, EMULATOR};
pub use workspace::root;
use workspace::{Workspace, at, create_directory, discard};

/// Options for starting a stack.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory of state, logs and `stack.json`, below the repository's `target/`, such as `dev`.
    /// Used by one stack at a time.
    pub directory: String,
    /// The emulator's port on 127.0.0.1. 0 picks a free one.
    pub port: u16,
    /// Discard the state of earlier runs in the directory.
    pub fresh: bool,
    /// Template parameters and timeouts that differ from [`PARAMETERS`].
    pub parameters: Vec<(String, String)>,
    /// Port on 127.0.0.1 of a proxy through which the functions reach AWS. None uses the emulator's
    /// port.
    pub proxy: Option<u16>,
    /// Called with a progress line when a step starts.
    pub say: fn(&str),
}

/// Template parameters and timeouts that differ from production: a crashed function is detected
/// within a minute, and webhooks may target this machine.
pub const PARAMETERS: [(&str, &str); 6] = [
    ("EgressAllow", "127.0.0.1:9000-9999"),
    ("EnableKeyringRotation", "false"),
    ("LogLevel", "debug"),
    ("MaximumConcurrency", "4"),
    ("VisibilityTimeout", "60"),
    ("WorkerTimeout", "50"),
];

/// A running stack. Dropping it stops the emulator and the functions gracefully, so that their
/// state is saved.
#[derive(Debug)]
pub struct Running {
    stack: Stack,
    workspace: Workspace,
    emulator: Emulator,
    watcher: Option<Watcher>,
    invoke_port: Option<u16>,
}

/// API Gateway's event for `/healthz`.
const HEALTH_EVENT: &str = include_str!("../../../events/api-healthz.json");

/// Starts the stack and returns when it responds.
///
/// # Errors
///
/// The error of the step that failed. All started processes have ended by then.
pub fn up(options: &Options) -> Result<Running, StartError> {
    start(options, None)
}

/// Starts the stack with functions that are rebuilt and restarted when their sources change. `cargo
/// lambda invoke` can invoke them by name at `invoke_port` (0 picks a free one).
///
/// # Errors
///
/// The error of the step that failed. All started processes have ended by then.
pub fn up_with_reload(options: &Options, invoke_port: u16) -> Result<Running, StartError> {
    start(options, Some(invoke_port))
}

fn start(options: &Options, invoke_port: Option<u16>) -> Result<Running, StartError> {
    let root = root();
    let workspace = Workspace {
        directory: root.join("target").join(&options.directory),
        root,
    };
    create_directory(&workspace.directory)?;
    // The emulator's state contains the keyring.
    fs::set_permissions(&workspace.directory, fs::Permissions::from_mode(0o700))
        .map_err(at(&workspace.directory))?;
    let log = emulator::lock(&workspace, options.say)?;
    if options.fresh {
        (options.say)("Discarding the previous state …");
        discard(&workspace)?;
    }
    let previous = Stack::read(&workspace.file("stack.json")).map(|stack| stack.aws.endpoint_url);
    if let Some(previous) =
        previous.filter(|previous| *previous != format!("http://127.0.0.1:{}", options.port))
    {
        return Err(StartError::Moved { previous });
    }
    // Checked before the slow steps.
    emulator::free(options.port)?;
    let invoke_port = invoke_port.map(emulator::free).transpose()?;
    match run(options, &workspace, &log, invoke_port) {
        Err(StartError::Unreadable(reason)) => Err(StartError::Unusable {
            reason,
            moved_to: ready::move_aside(&workspace)?,
        }),
        other => other,
    }
}

fn run(
    options: &Options,
    workspace: &Workspace,
    log: &File,
    invoke_port: Option<u16>,
) -> Result<Running, StartError> {
    let tools = workspace.root.join("target/tools");
    let of = 4
        + u32::from(!EMULATOR.is_installed(&tools))
        + u32::from(invoke_port.is_some() && !CARGO_LAMBDA.is_installed(&tools))
        + u32::from(invoke_port.is_some());
    let mut number = 0;
    let mut step = |title: &str| {
        number += 1;
        (options.say)(&format!("[{number}/{of}] {title} …"));
    };
    let python = EMULATOR.programs(&tools, &mut step)?.join("python");
    let reload = match invoke_port {
        Some(port) => Some((
            port,
            CARGO_LAMBDA
                .programs(&tools, &mut step)?
                .join("cargo-lambda"),
        )),
        None => None,
    };
    for function in FUNCTIONS {
        // A log contains only this run.
        let _ = fs::remove_file(workspace.log(function));
    }
    step("Building the functions");
    let built = functions::build(workspace)?;
    step("Starting the AWS emulator");
    let mut emulator = Emulator::start(&python, workspace, log, options.port, options.proxy)?;
    let parameters = parameters(&options.parameters, &emulator);
    step("Deploying infra/template.yaml");
    let deployed = deploy::deploy(&emulator, workspace, &built, &parameters, invoke_port)?;
    let watcher = match reload {
        Some((port, cargo_lambda)) => {
            step("Starting the functions under cargo lambda watch");
            let mut environment =
                reload::environment(&emulator, &deployed.functions["config-api"])?;
            let aws = Aws::new(&emulator.base()).environment();
            environment.extend(aws.map(|(name, value)| (name.to_owned(), value)));
            let mut watcher = Watcher::start(&cargo_lambda, workspace, port, environment)?;
            watcher.await_response(workspace, port, "config-api", HEALTH_EVENT)?;
            if deployed.created {
                // The function rejects this event.
                watcher.await_response(workspace, port, "rotation", "{}")?;
            }
            Some(watcher)
        }
        None => None,
    };
    step("Calling the API");
    let token = ready::administrator(&emulator, workspace, &deployed)?;
    let stack = Stack::new(&emulator.base(), deployed, token);
    stack
        .write(&workspace.file("stack.json"))
        .map_err(at(&workspace.file("stack.json")))?;
    emulator.enable_saving();
    Ok(Running {
        stack,
        workspace: workspace.clone(),
        emulator,
        watcher,
        invoke_port,
    })
}

impl Running {
    /// Addresses and names of the stack: the contents of `stack.json`.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The log file of a function (`"delivery"`). Created by the function's first invocation.
    pub fn log(&self, function: &str) -> PathBuf {
        self.workspace.log(function)
    }

    /// Checks that all started processes are running.
    ///
    /// # Errors
    ///
    /// Names the process that has ended.
    pub fn check(&mut self) -> Result<(), StartError> {
        if !self.emulator.alive() {
            return Err(StartError::Ended(self.log("emulator")));
        }
        if self
            .watcher
            .as_mut()
            .is_some_and(|watcher| !watcher.alive())
        {
            return Err(StartError::Watch(self.log("watch")));
        }
        Ok(())
    }

    /// The port for `cargo lambda invoke`, if the functions run under `cargo lambda watch`.
    pub fn invoke_port(&self) -> Option<u16> {
        self.invoke_port
    }

    /// Stops the stack as dropping does, reports the progress of saving the state, and stops
    /// waiting once `give_up` is set.
    ///
    /// # Errors
    ///
    /// If the state was not saved.
    pub fn down(mut self, say: fn(&str), give_up: &AtomicBool) -> Result<(), StartError> {
        drop(self.watcher.take());
        self.emulator.end(say, give_up)
    }
}

fn parameters(own: &[(String, String)], emulator: &Emulator) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = PARAMETERS
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    all.push((
        "Architecture".to_owned(),
        functions::architecture().to_owned(),
    ));
    all.push(("PublicUrl".to_owned(), emulator.api_url()));
    all.retain(|(name, _)| own.iter().all(|(mine, _)| mine != name));
    all.extend_from_slice(own);
    all
}
