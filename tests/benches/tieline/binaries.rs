//! Release builds of the functions, with the features that a deployment has.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The directory with the executables.
#[derive(Debug)]
pub(crate) struct Binaries(PathBuf);

/// Builds all executables.
pub(crate) fn build() -> Binaries {
    let cargo = env::var_os("CARGO").expect("run by cargo");
    let root = local::root();
    // Build scripts watch the variables that cargo sets for this process.
    let inherited =
        env::vars_os().filter(|(name, _)| !local::is_cargos_own(&name.to_string_lossy()));
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--workspace", "--bins"])
        .args(["--exclude", "local", "--exclude", "tests"])
        .current_dir(&root)
        .env_clear()
        .envs(inherited)
        .status();
    assert!(status.expect("cargo").success(), "the build failed");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Binaries(target.join("release"))
}

impl Binaries {
    /// The executables in a directory.
    pub(crate) fn of(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Returns the path of an executable.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns the size of an executable in bytes.
    pub(crate) fn bytes(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).expect("an executable").len()
    }

    /// Returns the directory for the functions' logs.
    pub(crate) fn logs(&self) -> &Path {
        &self.0
    }
}
