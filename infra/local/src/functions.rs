//! Builds the functions for this machine and creates their deployment packages.
//!
//! `cargo lambda build` always names a target, so it would compile every crate again next to the
//! builds of `cargo test`. The emulator runs binaries unchanged, so a plain build of the workspace
//! is enough and shares everything. A package contains a script that starts the binary, not the
//! binary itself: six debug builds would take seconds to zip, upload and store. The script also
//! appends the function's log lines to a file.

use std::{
    ffi::OsString,
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::UNIX_EPOCH,
};

use serde_json::Value;

use crate::{
    StartError,
    workspace::{Workspace, at, create_directory},
};

/// All functions: the names of their crates, and of their `CodeUri` in the template.
pub const FUNCTIONS: [&str; 6] = [
    "config-api",
    "inbound",
    "dispatch",
    "delivery",
    "rotation",
    "sweeper",
];

/// A function's deployment package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) function: &'static str,
    /// Changes with the binary.
    pub(crate) key: String,
    pub(crate) zip: Vec<u8>,
}

/// The template's name for this machine's architecture.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    }
}

pub(crate) fn build(workspace: &Workspace) -> Result<Vec<Package>, StartError> {
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
        // Uses the features of `cargo test`, which unifies the dependencies of tests/Cargo.toml.
        // Otherwise tokio and everything above would be compiled twice. Also uses those of `cargo
        // run --bin`, as cargo-lambda does.
        .args([
            "build",
            "--workspace",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(&workspace.root)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| !is_cargos_own(&name.to_string_lossy())))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(at(Path::new("cargo")))?;
    if !built.status.success() {
        return Err(StartError::Build);
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let binaries = workspace.file("functions");
    create_directory(&binaries)?;
    FUNCTIONS
        .into_iter()
        .map(|function| {
            package(
                workspace,
                &binaries,
                function,
                &executable(&messages, function).ok_or(StartError::Build)?,
            )
        })
        .collect()
}

/// Returns whether `cargo run` and `cargo test` set this variable for their program. Some build
/// scripts (ring's) watch them, and would recompile each time.
pub fn is_cargos_own(variable: &str) -> bool {
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ]
    .iter()
    .any(|prefix| variable.starts_with(prefix))
}

/// Returns the path of the binary from cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|message| message["target"]["name"] == name && message["executable"].is_string())
        .and_then(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}

fn package(
    workspace: &Workspace,
    binaries: &Path,
    function: &'static str,
    binary: &Path,
) -> Result<Package, StartError> {
    let file = fs::metadata(binary).map_err(at(binary))?;
    let changed = file
        .modified()
        .map_err(at(binary))?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let key = format!("{function}-{:x}-{:x}", changed.as_nanos(), file.len());
    // A copy, so that a build does not replace the binary of a running stack.
    let copy = binaries.join(&key);
    if !copy.exists() {
        let partial = binaries.join(format!("{key}.partial"));
        fs::copy(binary, &partial).map_err(at(&partial))?;
        fs::rename(&partial, &copy).map_err(at(&copy))?;
    }
    let script = format!(
        "#!/bin/sh\nexec {} >>{} 2>&1\n",
        quoted(&copy),
        quoted(&workspace.log(function))
    );
    Ok(Package {
        function,
        zip: zipped(&script).map_err(at(&copy))?,
        key,
    })
}

/// Removes the binaries of earlier builds.
pub(crate) fn prune(workspace: &Workspace, current: &[Package]) {
    for entry in fs::read_dir(workspace.file("functions"))
        .into_iter()
        .flatten()
        .flatten()
    {
        if current
            .iter()
            .all(|package| entry.file_name() != package.key.as_str())
        {
            // A file that can't be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

fn zipped(script: &str) -> std::io::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(script.as_bytes())?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_is_found_in_cargo_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"delivery"},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"delivery"},"executable":"/t/debug/delivery"}"#,
        );
        assert_eq!(
            executable(messages, "delivery"),
            Some(PathBuf::from("/t/debug/delivery"))
        );
        assert_eq!(executable(messages, "dispatch"), None);
    }

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("/it's here/$x")), r"'/it'\''s here/$x'");
    }

    #[test]
    fn only_variables_set_by_cargo_are_removed() {
        for own in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_BIN_NAME"] {
            assert!(is_cargos_own(own), "{own}");
        }
        for users in [
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_NET_OFFLINE",
            "PATH",
        ] {
            assert!(!is_cargos_own(users), "{users}");
        }
    }

    #[test]
    fn package_contains_an_executable_bootstrap() {
        let bytes = zipped("#!/bin/sh\n").unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let file = zip.by_name("bootstrap").unwrap();
        assert_eq!(file.unix_mode().unwrap() & 0o777, 0o755);
    }
}
