//! Unusable saved state is reported and moved, never deleted or served.

use std::{fs, path::PathBuf};

use local::{Options, StartError};

const DIRECTORY: &str = "test-state";

fn options() -> Options {
    Options {
        directory: DIRECTORY.to_owned(),
        port: 0,
        fresh: false,
        parameters: Vec::new(),
        proxy: None,
        say: |_| {},
    }
}

fn directory() -> PathBuf {
    local::root().join("target").join(DIRECTORY)
}

#[test]
fn unreadable_state_is_moved_and_the_next_start_is_empty() {
    let _ = fs::remove_dir_all(directory());
    for (file, contents, reason) in [
        ("state.jsonl", "", "its end is missing"),
        (
            "state.jsonl",
            r#"["dynamodb", {"__ministack_format__": 2, "payl"#,
            "JSONDecodeError",
        ),
        (
            "state.jsonl",
            r#"["sqs", {"__ministack_format__": 2, "payload": {}}]"#,
            "its end is missing",
        ),
        (
            "state.jsonl",
            "[\"dynamodb\", {\"__ministack_format__\": 99, \"payload\": {}}]\n[\"end\", 1]",
            "newer emulator",
        ),
        // In the emulator's own format.
        (
            "dynamodb.json",
            r#"{"__ministack_format__": 2, "payload": {"tab"#,
            "JSONDecodeError",
        ),
    ] {
        let state = directory().join("state");
        fs::create_dir_all(&state).expect("a directory");
        fs::write(state.join(file), contents).expect("written");
        let error = local::up(&options()).expect_err("a state that can't be used");
        let text = error.to_string();
        assert!(
            text.contains(reason) && text.contains("cargo dev --fresh"),
            "{text}"
        );
        let StartError::Unusable { moved_to, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            fs::read_to_string(moved_to.join("state").join(file)).expect("moved"),
            contents
        );
        assert!(!state.exists());
    }

    let running = local::up(&Options {
        fresh: true,
        ..options()
    })
    .expect("a start from nothing");
    running.down(|_| {}, &false.into()).expect("saved");
    let saved = fs::read_to_string(directory().join("state/state.jsonl")).expect("a state");
    assert!(
        saved.ends_with("]\n")
            && saved
                .lines()
                .last()
                .is_some_and(|line| line.starts_with(r#"["end","#))
    );
    assert_eq!(
        fs::read_dir(directory())
            .expect("a directory")
            .flatten()
            .filter(is_moved)
            .count(),
        5
    );
}

fn is_moved(entry: &fs::DirEntry) -> bool {
    entry
        .file_name()
        .to_string_lossy()
        .starts_with("unusable-state-")
}
