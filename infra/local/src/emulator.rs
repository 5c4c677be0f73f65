//! The emulator's process.
//!
//! The process watches its standard input, whose other end only this process has. When that end
//! closes, because the handle is dropped or this process dies (even by SIGKILL), the emulator
//! terminates its process group with SIGTERM. So no emulator and no function is left running, and
//! the state of a stack that was up is saved atomically.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    StartError, http,
    workspace::{Workspace, at, create_directory},
};

/// The API's ID. The emulator reads it from a tag, so that the API's URL is known before it is
/// created.
pub(crate) const API_ID: &str = "tieline";

/// Program that runs the emulator. It documents its standard input and exit statuses.
const PROGRAM: &str = include_str!("emulator.py");

/// Exit status when the saved state can't be read.
const UNUSABLE: i32 = 65;
/// Exit status when the state could not be saved.
const UNSAVED: i32 = 74;

/// Maximum time without progress while the program stops.
const STUCK_AFTER: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub(crate) struct Emulator {
    child: Child,
    port: u16,
    log: PathBuf,
    state: PathBuf,
}

impl Emulator {
    /// Starts the emulator. The functions reach AWS at the port `proxy`, or at the emulator's own.
    pub(crate) fn start(
        python: &Path,
        workspace: &Workspace,
        log: &File,
        port: u16,
        proxy: Option<u16>,
    ) -> Result<Self, StartError> {
        let port = free(port)?;
        let (state, temporary) = (workspace.file("state"), workspace.file("tmp"));
        create_directory(&state)?;
        // Code unpacked by an earlier run.
        let _ = fs::remove_dir_all(&temporary);
        create_directory(&temporary)?;
        let log_path = workspace.file("emulator.log");
        log.set_len(0).map_err(at(&log_path))?;
        let same = |file: &File| file.try_clone().map_err(at(&log_path));
        let child = Command::new(python)
            .args(["-c", PROGRAM])
            // The functions inherit this environment, which must not contain the user's AWS profile
            // or proxy.
            .env_clear()
            .envs(
                ["PATH", "HOME", "LANG"]
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .envs([
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("BIND_HOST", "127.0.0.1"),
                ("MINISTACK_HOST", "127.0.0.1"),
                ("IOT_MTLS_ENABLED", "0"),
                ("SFTP_ENABLED", "0"),
                ("PERSIST_STATE", "1"),
                ("PYTHONUNBUFFERED", "1"),
            ])
            // Passed through to the functions. The emulator does not use it.
            .env(
                "AWS_ENDPOINT_URL",
                format!("http://127.0.0.1:{}", proxy.unwrap_or(port)),
            )
            .env("GATEWAY_PORT", port.to_string())
            .env("STATE_DIR", &state)
            .env("TMPDIR", &temporary)
            .current_dir(&workspace.directory)
            .stdin(Stdio::piped())
            .stdout(same(log)?)
            .stderr(same(log)?)
            // Ctrl-C on the terminal must reach only this process, not the emulator.
            .process_group(0)
            .spawn()
            .map_err(at(python))?;
        let mut emulator = Self {
            child,
            port,
            log: log_path,
            state,
        };
        emulator.await_health()?;
        if emulator.is_exposed() {
            return Err(StartError::Exposed);
        }
        Ok(emulator)
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn api_url(&self) -> String {
        // The emulator serves the stage `$default` at the root, as AWS does.
        format!("{}/_aws/execute-api/{API_ID}", self.base())
    }

    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Enables saving the state when the emulator stops. Until then a failed or interrupted start
    /// changes nothing.
    pub(crate) fn enable_saving(&mut self) {
        if let Some(input) = &mut self.child.stdin {
            // `alive` detects an emulator that has exited.
            let _ = input.write_all(b"k");
        }
    }

    fn await_health(&mut self) -> Result<(), StartError> {
        let health = format!("{}/_ministack/health", self.base());
        let loading = fs::read_dir(&self.state).into_iter().flatten().flatten();
        let bytes: u64 = loading
            .filter_map(|entry| entry.metadata().ok())
            .map(|file| file.len())
            .sum();
        // The emulator reads about 15 MB per second.
        let give_up_at = Instant::now() + Duration::from_secs(60 + bytes / 1_000_000);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.code() == Some(UNUSABLE) => {
                    return Err(StartError::Unreadable(self.tail(1)));
                }
                Ok(None) if Instant::now() < give_up_at => {}
                _ => {
                    return Err(StartError::Emulator {
                        tail: self.tail(10),
                        log: self.log.clone(),
                    });
                }
            }
            if http::get(&health).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns the last lines of the emulator's log.
    fn tail(&self, lines: usize) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let all: Vec<_> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Stops the emulator and waits until its state is saved, however long that takes, unless
    /// `give_up` is set.
    ///
    /// # Errors
    ///
    /// If the state could not be saved, or saving was given up.
    pub(crate) fn end(&mut self, say: fn(&str), give_up: &AtomicBool) -> Result<(), StartError> {
        drop(self.child.stdin.take());
        let partial = partial(&self.state);
        let mut progress = (Instant::now(), 0);
        let mut said = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return if status.code() == Some(UNSAVED) {
                    Err(self.unsaved())
                } else {
                    Ok(())
                };
            }
            let written = fs::metadata(&partial).map_or(progress.1, |file| file.len());
            if written != progress.1 {
                progress = (Instant::now(), written);
            }
            if give_up.load(Ordering::Relaxed) || progress.0.elapsed() > STUCK_AFTER {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(self.unsaved());
            }
            if said.elapsed() > Duration::from_secs(2) {
                said = Instant::now();
                say(&format!(
                    "Saving the state ({} MB so far); Ctrl-C again ends without saving",
                    written / 1_000_000
                ));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn unsaved(&self) -> StartError {
        StartError::Unsaved {
            log: self.log.clone(),
        }
    }

    /// Returns whether the emulator listens on more than 127.0.0.1. Linux routes all of 127.0.0.0/8
    /// to this machine, so a response from another of these addresses proves it.
    fn is_exposed(&self) -> bool {
        let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), self.port));
        TcpStream::connect_timeout(&other, Duration::from_millis(200)).is_ok()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Does nothing if the emulator has already ended.
        let _ = self.end(|_| {}, &AtomicBool::new(false));
    }
}

/// The file that the program writes while it saves the state in this directory.
fn partial(state: &Path) -> PathBuf {
    state.join("state.jsonl.partial")
}

/// Returns `port` if it is free, or any free port for 0.
pub(crate) fn free(port: u16) -> Result<u16, StartError> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|_| StartError::PortTaken(port))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|_| StartError::PortTaken(port))
}

/// Opens and locks the emulator's log. The emulator inherits the lock with the file, so that it is
/// released only when both processes have ended.
pub(crate) fn lock(workspace: &Workspace, say: fn(&str)) -> Result<File, StartError> {
    let path = workspace.file("emulator.log");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(at(&path))?;
    let partial = partial(&workspace.file("state"));
    let mut progress = (Instant::now(), None);
    loop {
        match file.try_lock() {
            Ok(()) => {
                // Left over from an interrupted save.
                let _ = fs::remove_file(&partial);
                return Ok(file);
            }
            Err(TryLockError::Error(source)) => return Err(StartError::File { path, source }),
            Err(TryLockError::WouldBlock) => {}
        }
        // The previous emulator may still be saving its state.
        let written = fs::metadata(&partial).ok().map(|file| file.len());
        if written != progress.1 {
            if progress.1.is_none() {
                say("Waiting for the previous stack to save its state …");
            }
            progress = (Instant::now(), written);
        }
        let patience = if written.is_some() {
            STUCK_AFTER
        } else {
            Duration::from_secs(5)
        };
        if progress.0.elapsed() > patience {
            return Err(StartError::Busy(workspace.directory.clone()));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_in_use_is_rejected_and_zero_finds_a_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = free(port).unwrap_err().to_string();
        assert!(
            error.contains(&format!("port {port} on 127.0.0.1 is in use")),
            "{error}"
        );
        assert_ne!(free(0).unwrap(), port);
    }

    #[test]
    fn partial_state_is_removed_once_the_lock_is_acquired() {
        let root = std::env::temp_dir().join(format!("tieline-lock-{}", std::process::id()));
        let workspace = Workspace {
            directory: root.join("dev"),
            root: root.clone(),
        };
        let partial = partial(&workspace.file("state"));
        create_directory(&workspace.file("state")).unwrap();
        fs::write(&partial, "[").unwrap();
        let held = lock(&workspace, |line| panic!("{line}")).unwrap();
        assert!(!partial.exists());
        drop(held);
        fs::remove_dir_all(root).unwrap();
    }
}
