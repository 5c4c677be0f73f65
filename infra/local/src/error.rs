//! Errors of starting and stopping the stack.

use std::path::PathBuf;

use crate::http::HttpError;

/// Why the stack did not start or stop cleanly: one message for the user.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No suitable Python was found.
    #[error(
        "the AWS emulator requires Python 3.10 or newer with venv and pip, which was not found (tried {tried}).\nOn Debian or Ubuntu: apt install python3 python3-venv; on macOS: brew install python3"
    )]
    NoPython {
        /// The commands that were tried.
        tried: String,
    },
    /// pip failed to install a tool.
    #[error("failed to install {title} into {}: {reason}", directory.display())]
    Install {
        /// The tool's name.
        title: &'static str,
        /// The virtual environment.
        directory: PathBuf,
        /// The reason, unless pip has printed it.
        reason: String,
    },
    /// The functions do not compile. Cargo has printed the errors.
    #[error("failed to build the functions: see above")]
    Build,
    /// Another program listens on the port.
    #[error(
        "port {0} on 127.0.0.1 is in use by another program. Stop that program, or choose another port (cargo dev --port …)"
    )]
    PortTaken(u16),
    /// The saved state belongs to another port. It contains queue URLs, which include the port.
    #[error(
        "the saved state belongs to {previous}. Start with that port, or discard the state with --fresh"
    )]
    Moved {
        /// Where the stack ran.
        previous: String,
    },
    /// Another process uses the directory.
    #[error("{} is in use. Is `cargo dev` already running?", .0.display())]
    Busy(PathBuf),
    /// The emulator exited or hung before its first response.
    #[error("the AWS emulator did not start. The last lines of {}:\n{tail}", log.display())]
    Emulator {
        /// The emulator's log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The emulator exited while the stack was up.
    #[error(
        "the AWS emulator exited unexpectedly. The next start uses the previously saved state. Its log: {}",
        .0.display()
    )]
    Ended(PathBuf),
    /// The emulator listens on more than the loopback interface.
    #[error("the AWS emulator listens on more than 127.0.0.1; it was stopped")]
    Exposed,
    /// The saved state can't be used.
    #[error("the saved state can't be used: {0}")]
    Unreadable(String),
    /// The saved state can't be used, and was moved.
    #[error(
        "the saved state can't be used: {reason}\nIt was moved to {}. To start without it: cargo dev --fresh",
        moved_to.display()
    )]
    Unusable {
        /// Why the state can't be used.
        reason: String,
        /// The new location.
        moved_to: PathBuf,
    },
    /// The state could not be saved when the stack stopped.
    #[error(
        "the state was not saved. The next start uses the previously saved state. The emulator's log: {}",
        log.display()
    )]
    Unsaved {
        /// The emulator's log.
        log: PathBuf,
    },
    /// The stack is deployed, but its API does not work.
    #[error(
        "the stack does not work: GET {call} with the administrator's token: {reason}\nThe function's log: {}\nIf the saved state is the cause, discard it with cargo dev --fresh",
        log.display()
    )]
    Call {
        /// The request that failed.
        call: &'static str,
        /// The response or error.
        reason: String,
        /// The function's log.
        log: PathBuf,
    },
    /// cargo-lambda exited, or does not listen.
    #[error("`cargo lambda watch` is not running; its log: {}", .0.display())]
    Watch(PathBuf),
    /// `CloudFormation` rejected the stack.
    #[error("failed to deploy the stack:\n{0}")]
    Deploy(String),
    /// The rotation function failed to create the admin.
    #[error("failed to create the first admin: {reason}\nThe function's log: {}", log.display())]
    Bootstrap {
        /// The function's response.
        reason: String,
        /// The function's log.
        log: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The emulator did not respond as AWS would.
    #[error("the AWS emulator: {0}")]
    Http(#[from] HttpError),
}
