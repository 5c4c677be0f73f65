//! Why a stack did not come up, or did not end well.

use std::path::PathBuf;

use crate::http::HttpError;

/// Why the stack did not come up: one message for the user.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// There is no Python that could run the emulator.
    #[error(
        "Python 3.10 or newer, with venv and pip, is needed to run the AWS emulator, and was not found (tried {tried}).\nOn Debian or Ubuntu: apt install python3 python3-venv; on macOS: brew install python3"
    )]
    NoPython {
        /// The commands that were tried.
        tried: String,
    },
    /// pip could not install something.
    #[error("{title} could not be installed into {}: {reason}", place.display())]
    Install {
        /// What it is.
        title: &'static str,
        /// The virtual environment.
        place: PathBuf,
        /// Why, unless pip has said so itself.
        reason: String,
    },
    /// The functions do not compile; cargo has said why.
    #[error("the functions do not build: see above")]
    Build,
    /// Something else listens there.
    #[error(
        "port {0} on 127.0.0.1 is taken by another program: end that one, or choose another port (cargo dev --port …)"
    )]
    PortTaken(u16),
    /// The kept state belongs to another port: queue URLs, which hold it, are part of it.
    #[error(
        "the kept state belongs to {former}: start with that port, or forget the state with --fresh"
    )]
    Moved {
        /// Where the stack was.
        former: String,
    },
    /// Another process uses the directory.
    #[error("{} is in use: is `cargo dev` running already?", .0.display())]
    Busy(PathBuf),
    /// The emulator ended before it answered, or never answered.
    #[error("the AWS emulator did not start; the end of {}:\n{tail}", log.display())]
    Emulator {
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The emulator ended while the stack was up.
    #[error(
        "the AWS emulator ended by itself; the next start finds the state that was saved before. Its log: {}",
        .0.display()
    )]
    Ended(PathBuf),
    /// The emulator listens on more than loopback.
    #[error("the AWS emulator listens beyond 127.0.0.1; it was stopped")]
    Exposed,
    /// The kept state can't be used.
    #[error("the kept state can't be used: {0}")]
    Unreadable(String),
    /// The kept state can't be used, and was moved.
    #[error(
        "the kept state can't be used: {reason}\nIt was moved to {}. To start without it: cargo dev --fresh",
        place.display()
    )]
    Unusable {
        /// What is wrong with it.
        reason: String,
        /// Where it is now.
        place: PathBuf,
    },
    /// The state could not be saved when the stack ended.
    #[error(
        "the state was not saved; the next start finds the one that was saved before. The emulator's log: {}",
        log.display()
    )]
    Unsaved {
        /// The emulator's log.
        log: PathBuf,
    },
    /// The stack is there, but its API does not work.
    #[error(
        "the stack does not work: GET {call} with the administrator's token: {reason}\nThe function's log: {}\nIf the kept state is the cause, cargo dev --fresh forgets it",
        log.display()
    )]
    Call {
        /// What was called.
        call: &'static str,
        /// What came back.
        reason: String,
        /// The function's log.
        log: PathBuf,
    },
    /// cargo-lambda ended, or does not listen.
    #[error("`cargo lambda watch` does not run; its log: {}", .0.display())]
    Watch(PathBuf),
    /// `CloudFormation` refused the stack.
    #[error("the stack could not be deployed:\n{0}")]
    Deploy(String),
    /// The rotation function could not make the administrator.
    #[error("the first administrator could not be created: {reason}\nThe function's log: {}", log.display())]
    Bootstrap {
        /// What the function answered.
        reason: String,
        /// The function's log.
        log: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The emulator did not answer as AWS would.
    #[error("the AWS emulator: {0}")]
    Http(#[from] HttpError),
}
