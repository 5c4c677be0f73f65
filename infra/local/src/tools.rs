//! Tools from `PyPI`, each in a virtual environment under `target/tools/`, made once for each set of versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{UpError, at, create_directory};

/// ministack plus what its SAM transform needs; its `full` set has 100 MB of databases that nothing here uses.
const EMULATOR: [&str; 2] = ["ministack==1.5.33", "aws-sam-translator==1.115.0"];

/// Alone: the compiler that it wants as well, of 300 MB, is for builds for other machines.
const CARGO_LAMBDA: [&str; 2] = ["--no-deps", "cargo-lambda==1.9.2"];

const PYTHONS: [&str; 7] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/// The Python that has the emulator; installs it when it is not there in these versions.
pub(crate) fn emulator(tools: &Path, say: fn(&str)) -> Result<PathBuf, UpError> {
    install(tools, "emulator", &EMULATOR, "the AWS emulator", say)
}

/// cargo-lambda's executable; installs it when it is not there in this version.
pub(crate) fn cargo_lambda(tools: &Path, say: fn(&str)) -> Result<PathBuf, UpError> {
    let python = install(tools, "cargo-lambda", &CARGO_LAMBDA, "cargo-lambda", say)?;
    Ok(python.with_file_name("cargo-lambda"))
}

/// The Python of a virtual environment that has what pip makes of `requirements`.
fn install(
    tools: &Path,
    name: &str,
    requirements: &[&str],
    title: &'static str,
    say: fn(&str),
) -> Result<PathBuf, UpError> {
    let place = tools.join(name);
    let python = place.join("bin/python");
    let marker = place.join("installed");
    let wanted = requirements.join("\n");
    if fs::read_to_string(&marker).is_ok_and(|versions| versions == wanted) && python.exists() {
        return Ok(python);
    }
    create_directory(tools)?;
    let system = find_python()?;
    say(&format!("Installing {title}: once, about a minute"));
    run(Command::new(system).args(["-m", "venv", "--clear"]).arg(&place), title, &place)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]).args(requirements);
    run(&mut pip, title, &place)?;
    fs::write(&marker, wanted).map_err(at(&marker))?;
    Ok(python)
}

fn find_python() -> Result<&'static str, UpError> {
    let fits = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))";
    PYTHONS
        .into_iter()
        .find(|python| Command::new(python).args(["-c", fits]).output().is_ok_and(|out| out.status.success()))
        .ok_or_else(|| UpError::NoPython { tried: PYTHONS.join(", ") })
}

fn run(command: &mut Command, title: &'static str, place: &Path) -> Result<(), UpError> {
    let failed = |output: String| UpError::Install { title, place: place.to_owned(), output };
    let out = command.output().map_err(|error| failed(error.to_string()))?;
    if out.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).trim().to_owned();
    Err(failed(text))
}
