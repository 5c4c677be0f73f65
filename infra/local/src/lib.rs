//! The production template on this machine: no AWS account, no Docker.
//!
//! In come [`Options`]; out comes a [`Running`] stack that answers HTTP, with everything in it that
//! `infra/template.yaml` names. The steps: install the emulator (once, pinned, under
//! `target/tools/`), build the functions as `cargo test` builds them, start the emulator on
//! 127.0.0.1, create or update the stack, make the first administrator.
//!
//! Guaranteed: nothing listens beyond loopback; every process that was started ends when its
//! [`Running`] is dropped, and also when this process dies, however it dies; a second start finds
//! the state of the first.

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

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use emulator::Emulator;
pub use error::UpError;
pub use functions::FUNCTIONS;
use reload::Watcher;
pub use stack::{Aws, Queues, Stack};
use tools::{CARGO_LAMBDA, EMULATOR};

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where state, logs and `stack.json` go: below the repository's `target/`, such as `dev`. One
    /// stack at a time.
    pub directory: String,
    /// The emulator's port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Forget what an earlier start left in the directory.
    pub fresh: bool,
    /// Template parameters and timeouts that differ from [`PARAMETERS`].
    pub parameters: Vec<(String, String)>,
    /// The port on 127.0.0.1 at which the functions reach AWS, of a proxy before the emulator; the
    /// emulator's own if none.
    pub proxy: Option<u16>,
    /// Called with a line for the user as each step begins.
    pub say: fn(&str),
}

/// How the template's parameters and timeouts differ from production, on every machine: a function
/// that died is noticed within a minute, and webhooks may go to receivers on this machine.
pub const PARAMETERS: [(&str, &str); 6] = [
    ("EgressAllow", "127.0.0.1:9000-9999"),
    ("EnableKeyringRotation", "false"),
    ("LogLevel", "debug"),
    ("MaximumConcurrency", "4"),
    ("VisibilityTimeout", "60"),
    ("WorkerTimeout", "50"),
];

/// A stack that is up. Dropping it ends the emulator and the functions gently, so that their state
/// is kept.
#[derive(Debug)]
pub struct Running {
    stack: Stack,
    place: Place,
    emulator: Emulator,
    watcher: Option<Watcher>,
    invoke_port: Option<u16>,
}

/// A call of `/healthz`, as the gateway passes it on.
const HEALTH_EVENT: &str = include_str!("../../../events/api-healthz.json");

/// Directories of states that could not be used begin with this. Only the user deletes them.
const UNUSABLE: &str = "unusable-state-";

/// Paths of one stack.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
    directory: PathBuf,
}

impl Place {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn log(&self, function: &str) -> PathBuf {
        self.file(&format!("{function}.log"))
    }
}

/// Start the stack, and return when it answers.
///
/// # Errors
/// Each step's own; whatever was started by then has ended.
pub fn up(options: &Options) -> Result<Running, UpError> {
    start(options, None)
}

/// Start the stack with functions that are built again and restarted when their sources change.
/// They can be invoked by their own names at `invoke_port` (0 takes a free one), as `cargo lambda
/// invoke` does.
///
/// # Errors
/// Each step's own; whatever was started by then has ended.
pub fn up_with_reload(options: &Options, invoke_port: u16) -> Result<Running, UpError> {
    start(options, Some(invoke_port))
}

fn start(options: &Options, invoke_port: Option<u16>) -> Result<Running, UpError> {
    let root = root();
    let place = Place {
        directory: root.join("target").join(&options.directory),
        root,
    };
    create_directory(&place.directory)?;
    // The emulator's state holds the keyring.
    fs::set_permissions(&place.directory, fs::Permissions::from_mode(0o700))
        .map_err(at(&place.directory))?;
    let log = lock(&place, options.say)?;
    if options.fresh {
        (options.say)("Forgetting the former state …");
        forget(&place)?;
    }
    let former = Stack::read(&place.file("stack.json")).map(|stack| stack.aws.endpoint_url);
    if let Some(former) =
        former.filter(|former| *former != format!("http://127.0.0.1:{}", options.port))
    {
        return Err(UpError::Moved { former });
    }
    // Before the steps that take long.
    emulator::free(options.port)?;
    let invoke_port = invoke_port.map(emulator::free).transpose()?;
    match run(options, &place, &log, invoke_port) {
        Err(UpError::Unreadable(reason)) => Err(UpError::Unusable {
            reason,
            place: ready::set_aside(&place)?,
        }),
        other => other,
    }
}

fn run(
    options: &Options,
    place: &Place,
    log: &File,
    invoke_port: Option<u16>,
) -> Result<Running, UpError> {
    let tools = place.root.join("target/tools");
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
        // A log tells of this start alone.
        let _ = fs::remove_file(place.log(function));
    }
    step("Building the functions");
    let built = functions::build(place)?;
    step("Starting the AWS emulator");
    let mut emulator = Emulator::start(&python, place, log, options.port, options.proxy)?;
    let parameters = parameters(&options.parameters, &emulator);
    step("Deploying infra/template.yaml");
    let deployed = deploy::deploy(&emulator, place, &built, &parameters, invoke_port)?;
    let watcher = match reload {
        Some((port, cargo_lambda)) => {
            step("Starting the functions under cargo lambda watch");
            let mut environment =
                reload::environment(&emulator, &deployed.functions["config-api"])?;
            let aws = Aws::new(&emulator.base()).environment();
            environment.extend(aws.map(|(name, value)| (name.to_owned(), value)));
            let mut watcher = Watcher::start(&cargo_lambda, place, port, environment)?;
            watcher.await_answer(place, port, "config-api", HEALTH_EVENT)?;
            if deployed.created {
                // It refuses this event.
                watcher.await_answer(place, port, "rotation", "{}")?;
            }
            Some(watcher)
        }
        None => None,
    };
    step("Calling the API");
    let token = ready::administrator(&emulator, place, &deployed)?;
    let stack = Stack::new(&emulator.base(), deployed, token);
    stack
        .write(&place.file("stack.json"))
        .map_err(at(&place.file("stack.json")))?;
    emulator.keep();
    Ok(Running {
        stack,
        place: place.clone(),
        emulator,
        watcher,
        invoke_port,
    })
}

impl Running {
    /// Where everything is: the contents of `stack.json`.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The file that a function (`"delivery"`) writes its log lines to; it need not exist before
    /// the first call.
    pub fn log(&self, function: &str) -> PathBuf {
        self.place.log(function)
    }

    /// Whether all that was started still runs.
    ///
    /// # Errors
    /// What ended.
    pub fn check(&mut self) -> Result<(), UpError> {
        if !self.emulator.alive() {
            return Err(UpError::Ended(self.log("emulator")));
        }
        if self
            .watcher
            .as_mut()
            .is_some_and(|watcher| !watcher.alive())
        {
            return Err(UpError::Watch(self.log("watch")));
        }
        Ok(())
    }

    /// Where `cargo lambda invoke` reaches the functions, if they run under `cargo lambda watch`.
    pub fn invoke_port(&self) -> Option<u16> {
        self.invoke_port
    }

    /// Ends it as dropping does, shows how far the state is saved, and stops waiting for that once
    /// `give_up` is set.
    ///
    /// # Errors
    /// The state was not saved.
    pub fn down(mut self, say: fn(&str), give_up: &AtomicBool) -> Result<(), UpError> {
        drop(self.watcher.take());
        self.emulator.end(say, give_up)
    }
}

/// The repository that this was built from.
pub fn root() -> PathBuf {
    // The manifest is in <root>/infra/local.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map_or_else(PathBuf::new, Path::to_owned)
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

/// The emulator's log, locked. The emulator inherits the lock with the file, so that it is held
/// until both have ended.
fn lock(place: &Place, say: fn(&str)) -> Result<File, UpError> {
    let path = place.file("emulator.log");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(at(&path))?;
    let partial = emulator::partial(&place.file("state"));
    let mut progress = (Instant::now(), None);
    loop {
        match file.try_lock() {
            Ok(()) => {
                // Left behind by a save that was ended.
                let _ = fs::remove_file(&partial);
                return Ok(file);
            }
            Err(TryLockError::Error(source)) => return Err(UpError::File { path, source }),
            Err(TryLockError::WouldBlock) => {}
        }
        // The emulator of the one before may still be saving its state.
        let written = fs::metadata(&partial).ok().map(|file| file.len());
        if written != progress.1 {
            if progress.1.is_none() {
                say("Waiting until the stack that ran here has saved its state …");
            }
            progress = (Instant::now(), written);
        }
        let patience = if written.is_some() {
            emulator::STUCK_AFTER
        } else {
            Duration::from_secs(5)
        };
        if progress.0.elapsed() > patience {
            return Err(UpError::Busy(place.directory.clone()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn forget(place: &Place) -> Result<(), UpError> {
    for entry in fs::read_dir(&place.directory)
        .map_err(at(&place.directory))?
        .flatten()
    {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(UNUSABLE) {
            continue;
        }
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(at(&path))?;
        } else if !path.ends_with("emulator.log") {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

fn create_directory(path: &Path) -> Result<(), UpError> {
    fs::create_dir_all(path).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> UpError {
    let path = path.to_owned();
    move |source| UpError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_state_of_an_ended_save_is_removed_once_the_lock_is_held() {
        let root = std::env::temp_dir().join(format!("tieline-lock-{}", std::process::id()));
        let place = Place {
            directory: root.join("dev"),
            root: root.clone(),
        };
        let partial = emulator::partial(&place.file("state"));
        create_directory(&place.file("state")).unwrap();
        fs::write(&partial, "[").unwrap();
        let held = lock(&place, |line| panic!("{line}")).unwrap();
        assert!(!partial.exists());
        drop(held);
        fs::remove_dir_all(root).unwrap();
    }
}
