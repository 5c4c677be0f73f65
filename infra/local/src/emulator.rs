//! The emulator's process.
//!
//! It watches its standard input, whose other end only this process holds: when that closes, because the handle is
//! dropped or this process died, even by SIGKILL, it ends its process group with SIGTERM. Thus no emulator and no
//! function is ever left behind, and state, which it saves on SIGTERM alone, is kept.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Place, UpError, at, create_directory, http};

/// The API's id, set by a tag that the emulator heeds, so that the API's URL is known before it is made.
pub(crate) const API_ID: &str = "tieline";

const PROGRAM: &str = "\
import os, signal, threading
def watch():
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
from ministack.app import main
main()
";

#[derive(Debug)]
pub(crate) struct Emulator {
    child: Child,
    port: u16,
}

impl Emulator {
    /// The functions reach AWS at the port `proxy`, or at the emulator's own.
    pub(crate) fn start(
        python: &Path,
        place: &Place,
        log: &File,
        port: u16,
        proxy: Option<u16>,
    ) -> Result<Self, UpError> {
        let port = free(port)?;
        let (state, temporary) = (place.file("state"), place.file("tmp"));
        create_directory(&state)?;
        // Code that it unpacked earlier.
        let _ = fs::remove_dir_all(&temporary);
        create_directory(&temporary)?;
        let log_path = place.file("emulator.log");
        log.set_len(0).map_err(at(&log_path))?;
        let same = |file: &File| file.try_clone().map_err(at(&log_path));
        let child = Command::new(python)
            .args(["-c", PROGRAM])
            // The functions inherit its environment: neither the user's AWS profile nor a proxy belongs there.
            .env_clear()
            .envs(["PATH", "HOME", "LANG"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
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
            // The emulator hands it on to the functions, and makes no use of it itself.
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", proxy.unwrap_or(port)))
            .env("GATEWAY_PORT", port.to_string())
            .env("STATE_DIR", &state)
            .env("TMPDIR", &temporary)
            .current_dir(&place.directory)
            .stdin(Stdio::piped())
            .stdout(same(log)?)
            .stderr(same(log)?)
            // Ctrl-C on the terminal is for us, not for the group in the foreground.
            .process_group(0)
            .spawn()
            .map_err(at(python))?;
        let mut emulator = Self { child, port };
        emulator.await_health(log_path)?;
        if emulator.is_exposed() {
            return Err(UpError::Exposed);
        }
        Ok(emulator)
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn api_url(&self) -> String {
        format!("{}/_aws/execute-api/{API_ID}/$default", self.base())
    }

    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn await_health(&mut self, log: PathBuf) -> Result<(), UpError> {
        let health = format!("{}/_ministack/health", self.base());
        let patience = Instant::now() + Duration::from_mins(1);
        while self.alive() && Instant::now() < patience {
            if http::get(&health).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        Err(UpError::Emulator { tail: lines[lines.len().saturating_sub(10)..].join("\n"), log })
    }

    /// Linux routes all of 127/8 to this machine: whoever answers on another of its addresses listens on all of them.
    fn is_exposed(&self) -> bool {
        let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), self.port));
        TcpStream::connect_timeout(&other, Duration::from_millis(200)).is_ok()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let patience = Instant::now() + Duration::from_secs(30);
        while self.alive() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `port` when nobody listens there, or any free one for 0.
pub(crate) fn free(port: u16) -> Result<u16, UpError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|_| UpError::PortTaken(port))?;
    listener.local_addr().map(|address| address.port()).map_err(|_| UpError::PortTaken(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_and_zero_finds_a_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = free(port).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} on 127.0.0.1 is taken")), "{error}");
        assert_ne!(free(0).unwrap(), port);
    }
}
