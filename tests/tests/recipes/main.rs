//! The pages in `docs/recipes`: their commands run against the stack, and the responses are those
//! that the pages show.
//!
//! A page consists of `sh` blocks, each optionally followed by a `text` block with its output: the
//! last status, and the last JSON or the last lines. Fields that the page omits may be anything, and
//! so may text in place of `…`.

mod page;

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
};

use tests::stack::{Stack, unique};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
};

use self::page::{Block, blocks};

/// Pages share event types, so they run one after another.
static RUNNING: Mutex<()> = Mutex::const_new(());

/// Starts the other system of the recipes on a port that the stack's egress policy allows.
async fn receiver(stack: &Stack) -> (Child, String) {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = (9100..9200).find(free).expect("a free port");
    let script = local::root().join("docs/recipes/receiver.py");
    let child = Command::new("python3")
        .arg(script)
        .arg(port.to_string())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("python3");
    let url = format!("http://127.0.0.1:{port}");
    let probe = format!("{url}/_received?path=/&count=0");
    stack
        .until("the receiver responds", async || {
            match reqwest::get(&probe).await {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string().into()),
            }
        })
        .await;
    (child, url)
}

/// Runs the blocks in one shell. The output of block `n` is in the files `<n>.out` and `<n>.err`.
async fn run(blocks: &[Block], directory: &Path, variables: [(&str, &str); 3]) {
    let block = |(n, block): (usize, &Block)| {
        let file = directory.join(n.to_string());
        let (commands, file) = (&block.commands, file.display());
        format!("{{\n{commands}\n}} >\"{file}.out\" 2>\"{file}.err\"")
    };
    let script: Vec<String> = ["set -eu -o pipefail".to_owned()]
        .into_iter()
        .chain(blocks.iter().enumerate().map(block))
        .collect();
    let script = script.join("\n");
    let status = Command::new("bash")
        .args(["-c", &script])
        .current_dir(local::root())
        .envs(variables)
        .kill_on_drop(true)
        .status()
        .await
        .expect("bash");
    if !status.success() {
        let last = (0..blocks.len()).take_while(|n| directory.join(format!("{n}.out")).exists());
        let n = last.last().expect("a block");
        let [out, err] = output(directory, n);
        panic!("line {}: {status}\n{out}\n{err}", blocks[n].line);
    }
}

fn output(directory: &Path, n: usize) -> [String; 2] {
    ["out", "err"].map(|kind| {
        let file = directory.join(format!("{n}.{kind}"));
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    })
}

async fn check(page: &str) {
    let _running = RUNNING.lock().await;
    let stack = Stack::get();
    let (_receiver, url) = receiver(&stack).await;
    let recipes = local::root().join("docs/recipes");
    let read = |name: &str| fs::read_to_string(recipes.join(name)).expect(name);
    let setup = blocks(&read("README.md"));
    let all: Vec<Block> = setup.into_iter().chain(blocks(&read(page))).collect();
    let directory = std::env::temp_dir().join(unique("recipe"));
    fs::create_dir(&directory).expect("a directory");
    let variables = [
        ("TIELINE", stack.api_url()),
        ("TOKEN", stack.token()),
        ("RECEIVER", &url),
    ];
    let ran = tokio::time::timeout(
        tests::stack::WAIT_TIMEOUT * 2,
        run(&all, &directory, variables),
    );
    ran.await
        .unwrap_or_else(|_| panic!("{page} takes too long"));
    let mut compared = 0;
    for (n, block) in all.iter().enumerate() {
        let [out, err] = output(&directory, n);
        if let Some(expected) = &block.expected {
            page::compare(expected, &out, &err)
                .unwrap_or_else(|why| panic!("{page}:{}: {why}\n{out}\n{err}", block.line));
            compared += 1;
        }
    }
    assert!(compared > 5, "{page} shows what happens");
    fs::remove_dir_all(&directory).expect("removed");
}

#[tokio::test]
async fn webhook_page_is_true() {
    check("webhook.md").await;
}

#[tokio::test]
async fn dispatcher_page_is_true() {
    check("dispatcher.md").await;
}

#[tokio::test]
async fn credentials_page_is_true() {
    check("credentials.md").await;
}

#[tokio::test]
async fn connected_service_page_is_true() {
    check("connected-service.md").await;
}

#[tokio::test]
async fn external_provider_page_is_true() {
    check("external-provider.md").await;
}
