use super::*;

#[test]
fn partial_state_is_removed_once_the_lock_is_acquired() {
    let root = std::env::temp_dir().join(format!("tieline-lock-{}", std::process::id()));
    let workspace = Workspace {
        directory: root.join("dev"),
        root: root.clone(),
    };
    let partial = emulator::partial(&workspace.file("state"));
    create_directory(&workspace.file("state")).unwrap();
    fs::write(&partial, "[").unwrap();
    let held = lock(&workspace, |line| panic!("{line}")).unwrap();
    assert!(!partial.exists());
    drop(held);
    fs::remove_dir_all(root).unwrap();
}
