//! The functions under `cargo lambda watch`: built again and restarted when a source file changes.
//!
//! The emulator hands each invocation on to it (see [`address`]). Calls that come while a function
//! is built wait for it. Like the emulator, it ends when this process does, however that dies.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::emulator::Emulator;
use crate::functions::{is_cargos_own, quoted};
use crate::http::{self, HttpError};
use crate::{Place, UpError, at};

/// Invocations of one function at a time; each takes a process, all of which restart on a change.
const CONCURRENCY: &str = "2";

/// How long a function's first build may take.
const FIRST_BUILD: Duration = Duration::from_mins(15);

/// All but what functions are made from, in the syntax of `.gitignore`.
const IGNORED: &str = "\
/*
!/Cargo.lock
!/Cargo.toml
!/functions
!/shared
";

/// Runs what follows it until that ends, or until standard input closes, whose other end only this
/// process holds.
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

/// Where a function is invoked.
pub(crate) fn address(port: u16, function: &str) -> String {
    format!("http://127.0.0.1:{port}/2015-03-31/functions/{function}/invocations")
}

/// The environment that the template gives to a deployed function; all have the same.
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
    /// Start it; the functions start at their first call.
    pub(crate) fn start(
        cargo_lambda: &Path,
        place: &Place,
        port: u16,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, UpError> {
        let ignored = place.file("watch.ignored");
        fs::write(&ignored, IGNORED).map_err(at(&ignored))?;
        let log_path = place.file("watch.log");
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
                CONCURRENCY,
            ])
            .args([
                "--invoke-port",
                &port.to_string(),
                "--config",
                &runner(place),
            ])
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| {
                let name = name.to_string_lossy();
                // The functions inherit all of this: the user's AWS profile does not belong there.
                !is_cargos_own(&name) && !name.starts_with("AWS_")
            }))
            .envs(environment)
            .env("CARGO_LAMBDA_IGNORE_FILE", &ignored)
            .current_dir(&place.root)
            .stdin(Stdio::piped())
            // Its own lines; cargo's, on standard error, are for the user.
            .stdout(log)
            .process_group(0)
            .spawn()
            .map_err(at(cargo_lambda))?;
        let mut watcher = Self(child);
        watcher.await_port(port, log_path)?;
        Ok(watcher)
    }

    /// Waits until a function answers this event, whatever it answers. Its first call builds it,
    /// which can take longer than the emulator lets a function run.
    pub(crate) fn await_answer(
        &mut self,
        place: &Place,
        port: u16,
        function: &str,
        event: &str,
    ) -> Result<(), UpError> {
        let deadline = Instant::now() + FIRST_BUILD;
        let url = address(port, function);
        while let Err(HttpError::NoAnswer(_)) =
            http::post(&url, "lambda", "application/json", event)
        {
            if !self.alive() || Instant::now() > deadline {
                return Err(UpError::Watch(place.log("watch")));
            }
        }
        Ok(())
    }

    fn await_port(&mut self, port: u16, log: PathBuf) -> Result<(), UpError> {
        let patience = Instant::now() + Duration::from_secs(30);
        while self.alive() && Instant::now() < patience {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(UpError::Watch(log))
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

/// Cargo's setting for how it starts what it built: a function's lines go to its log. Each process
/// takes one call at a time, whatever `cargo lambda watch` sets; the runtime would warn about that
/// at every start.
fn runner(place: &Place) -> String {
    let script = format!(
        r#"unset AWS_LAMBDA_MAX_CONCURRENCY; exec "$0" >>{}/"${{0##*/}}".log 2>&1"#,
        quoted(&place.directory)
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
    fn the_process_ends_when_its_input_closes() {
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
    fn it_ends_when_the_process_does() {
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_CLOSED, "sh", "true"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // `wait` would close its input.
        while child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
