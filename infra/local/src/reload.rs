//! Runs the functions under `cargo lambda watch`, which rebuilds and restarts them when a source
//! file changes.
//!
//! The emulator forwards each invocation to it (see [`address`]). Requests wait while a function is
//! being built. Like the emulator, it ends when this process dies for any reason.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{Ipv4Addr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    StartError,
    emulator::Emulator,
    functions::{is_cargos_own, quoted},
    http::{self, HttpError},
    workspace::{Workspace, at},
};

/// Concurrent invocations per function. Each requires a process, and all of them restart on a
/// change.
const MAX_CONCURRENCY: &str = "2";

/// Timeout of a function's first build.
const FIRST_BUILD_TIMEOUT: Duration = Duration::from_mins(15);

/// Everything that the functions are not built from, in `.gitignore` syntax.
const IGNORED: &str = "\
/*
!/Cargo.lock
!/Cargo.toml
!/functions
!/shared
";

/// Runs a command until it ends, or until standard input closes, whose other end only this process
/// has.
const UNTIL_CLOSED: &str = r#"
exec 3<&0
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill $child; } 2>/dev/null &
wait $child
kill $! 2>/dev/null
"#;

#[derive(Debug)]
pub(crate) struct Watcher(Child);

/// The address where a function is invoked.
pub(crate) fn address(port: u16, function: &str) -> String {
    format!("http://127.0.0.1:{port}/2015-03-31/functions/{function}/invocations")
}

/// The environment variables of a deployed function in the template. They are the same for all.
pub(crate) fn environment(
    emulator: &Emulator,
    deployed_name: &str,
) -> Result<BTreeMap<String, String>, HttpError> {
    let url = format!(
        "{}/2015-03-31/functions/{deployed_name}/configuration",
        emulator.base()
    );
    let configuration: Value = serde_json::from_str(&http::get(&url)?.body).unwrap_or_default();
    Ok(
        serde_json::from_value(configuration["Environment"]["Variables"].clone())
            .unwrap_or_default(),
    )
}

impl Watcher {
    /// Starts the watcher. Functions start with their first request.
    pub(crate) fn start(
        cargo_lambda: &Path,
        workspace: &Workspace,
        port: u16,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, StartError> {
        let ignored = workspace.file("watch.ignored");
        fs::write(&ignored, IGNORED).map_err(at(&ignored))?;
        let log_path = workspace.file("watch.log");
        let log = File::create(&log_path).map_err(at(&log_path))?;
        let child = Command::new("sh")
            .args(["-c", UNTIL_CLOSED, "sh"])
            .arg(cargo_lambda)
            .args([
                "lambda",
                "watch",
                "--invoke-address",
                "127.0.0.1",
                "--concurrency",
                MAX_CONCURRENCY,
            ])
            .args([
                "--invoke-port",
                &port.to_string(),
                "--config",
                &runner(workspace),
            ])
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| {
                let name = name.to_string_lossy();
                // The functions inherit this environment, which must not contain the user's AWS
                // profile.
                !is_cargos_own(&name) && !name.starts_with("AWS_")
            }))
            .envs(environment)
            .env("CARGO_LAMBDA_IGNORE_FILE", &ignored)
            .current_dir(&workspace.root)
            .stdin(Stdio::piped())
            // cargo-lambda's own output. Cargo's output goes to standard error, for the user.
            .stdout(log)
            .process_group(0)
            .spawn()
            .map_err(at(cargo_lambda))?;
        let mut watcher = Self(child);
        watcher.await_port(port, log_path)?;
        Ok(watcher)
    }

    /// Waits until a function responds to this event, with whatever result. The first request
    /// builds the function, which can take longer than the emulator's function timeout.
    pub(crate) fn await_response(
        &mut self,
        workspace: &Workspace,
        port: u16,
        function: &str,
        event: &str,
    ) -> Result<(), StartError> {
        let deadline = Instant::now() + FIRST_BUILD_TIMEOUT;
        let url = address(port, function);
        while let Err(HttpError::NoResponse(_)) =
            http::post(&url, "lambda", "application/json", event)
        {
            if !self.alive() || Instant::now() > deadline {
                return Err(StartError::Watch(workspace.log("watch")));
            }
        }
        Ok(())
    }

    fn await_port(&mut self, port: u16, log: PathBuf) -> Result<(), StartError> {
        let patience = Instant::now() + Duration::from_secs(30);
        while self.alive() && Instant::now() < patience {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(StartError::Watch(log))
    }

    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Cargo's `runner` setting: appends a function's output to its log. Each process handles one
/// request at a time, whatever `cargo lambda watch` sets, which would log a warning at every start.
fn runner(workspace: &Workspace) -> String {
    let script = format!(
        r#"unset AWS_LAMBDA_MAX_CONCURRENCY; exec "$0" >>{}/"${{0##*/}}".log 2>&1"#,
        quoted(&workspace.directory)
    );
    format!(
        "target.'cfg(unix)'.runner={}",
        Value::from(vec!["sh", "-c", &script])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_ends_when_its_input_closes() {
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_CLOSED, "sh", "sleep", "60"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(child.try_wait().unwrap().is_none());
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn wrapper_ends_with_its_process() {
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_CLOSED, "sh", "true"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // `wait` would close the process's input.
        while child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
