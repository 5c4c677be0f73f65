//! Paths and files of one stack.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::StartError;

/// Prefix of directories with unusable states. Only the user deletes them.
pub(crate) const UNUSABLE: &str = "unusable-state-";

/// Paths of one stack.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) directory: PathBuf,
}

impl Workspace {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn log(&self, function: &str) -> PathBuf {
        self.file(&format!("{function}.log"))
    }
}

/// The repository that this crate was built from.
pub fn root() -> PathBuf {
    // The manifest is in <root>/infra/local.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map_or_else(PathBuf::new, Path::to_owned)
}

pub(crate) fn discard(workspace: &Workspace) -> Result<(), StartError> {
    for entry in fs::read_dir(&workspace.directory)
        .map_err(at(&workspace.directory))?
        .flatten()
    {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(UNUSABLE) {
            continue;
        }
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(at(&path))?;
        } else if !path.ends_with("emulator.log") {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

pub(crate) fn create_directory(path: &Path) -> Result<(), StartError> {
    fs::create_dir_all(path).map_err(at(path))
}

pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> StartError {
    let path = path.to_owned();
    move |source| StartError::File { path, source }
}
