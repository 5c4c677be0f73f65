//! Whether a source file changed since the last look.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// What the functions and the stack are made from.
const SOURCES: [&str; 4] = ["Cargo.lock", "functions", "infra/template.yaml", "shared"];

/// The newest change that was seen.
pub(crate) struct Watch(Option<SystemTime>);

impl Watch {
    pub(crate) fn new() -> Self {
        Self(newest())
    }

    pub(crate) fn changed(&mut self) -> bool {
        let newest = newest();
        let changed = newest != self.0;
        self.0 = newest;
        changed
    }
}

fn newest() -> Option<SystemTime> {
    let root = local::root();
    SOURCES.iter().filter_map(|source| newest_in(&root.join(source))).max()
}

/// A directory's own time counts too: it tells of files that are gone.
fn newest_in(path: &Path) -> Option<SystemTime> {
    let own = fs::metadata(path).and_then(|file| file.modified()).ok();
    let inner = fs::read_dir(path).into_iter().flatten().flatten().filter_map(|entry| newest_in(&entry.path())).max();
    own.max(inner)
}
