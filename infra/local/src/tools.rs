//! Tools from `PyPI`, each in a virtual environment under `target/tools/`, created once per set of
//! versions.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    StartError,
    workspace::{at, create_directory},
};

/// Packages that pip installs together.
pub(crate) struct Tool {
    /// Directory of the virtual environment.
    name: &'static str,
    title: &'static str,
    requirements: [&'static str; 2],
}

/// ministack and the dependencies of its SAM transform. Its `full` set has 100 MB of unused
/// databases.
pub(crate) const EMULATOR: Tool = Tool {
    name: "emulator",
    title: "the AWS emulator",
    requirements: ["ministack==1.5.33", "aws-sam-translator==1.115.0"],
};

/// Without the compiler of 300 MB that it suggests, which is for cross-compiling.
pub(crate) const CARGO_LAMBDA: Tool = Tool {
    name: "cargo-lambda",
    title: "cargo-lambda",
    requirements: ["--no-deps", "cargo-lambda==1.9.2"],
};

const PYTHONS: [&str; 7] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python",
];

impl Tool {
    /// Returns whether these versions are installed.
    pub(crate) fn is_installed(&self, tools: &Path) -> bool {
        let directory = tools.join(self.name);
        fs::read_to_string(directory.join("installed"))
            .is_ok_and(|versions| versions == self.requirements.join("\n"))
            && directory.join("bin/python").exists()
    }

    /// Returns the directory of its programs, including Python. Installs the tool if necessary;
    /// pip's output goes to the user.
    pub(crate) fn programs(
        &self,
        tools: &Path,
        step: &mut dyn FnMut(&str),
    ) -> Result<PathBuf, StartError> {
        let directory = tools.join(self.name);
        let programs = directory.join("bin");
        if self.is_installed(tools) {
            return Ok(programs);
        }
        create_directory(tools)?;
        let system = find_python()?;
        step(&format!("Installing {} (first run only)", self.title));
        self.run(
            Command::new(system)
                .args(["-m", "venv", "--clear"])
                .arg(&directory),
            &directory,
        )?;
        let mut pip = Command::new(programs.join("python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-compile",
        ])
        .args(self.requirements);
        self.run(&mut pip, &directory)?;
        let marker = directory.join("installed");
        fs::write(&marker, self.requirements.join("\n")).map_err(at(&marker))?;
        Ok(programs)
    }

    fn run(&self, command: &mut Command, directory: &Path) -> Result<(), StartError> {
        let failed = |reason: String| StartError::Install {
            title: self.title,
            directory: directory.to_owned(),
            reason,
        };
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(format!("see above ({status})"))),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

fn find_python() -> Result<&'static str, StartError> {
    let fits = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))";
    PYTHONS
        .into_iter()
        .find(|python| {
            Command::new(python)
                .args(["-c", fits])
                .output()
                .is_ok_and(|out| out.status.success())
        })
        .ok_or_else(|| StartError::NoPython {
            tried: PYTHONS.join(", "),
        })
}
