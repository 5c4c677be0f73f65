//! A stack whose functions can be killed and cut off from AWS.
//!
//! It is separate from the stack of [`Stack::get`], in `target/fault-stack`. Its functions reach
//! the emulator through a [`Proxy`]. Only one test uses it at a time, because faults affect all of
//! it.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

pub mod proxy;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    process::Command,
    sync::OnceLock,
};

use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use self::proxy::Proxy;
use crate::{
    stack::{Shared, Stack, options},
    webhook::Webhook,
};

const DIRECTORY: &str = "fault-stack";

/// Maximum number of receives in the template, after which a message becomes a dead letter.
pub const RECEIVES: u32 = 200;

/// Visibility timeout in seconds: short, but longer than a successful batch takes.
pub const VISIBILITY: u32 = 8;

/// Exclusive use of the stack by one test.
#[derive(Debug)]
pub struct Faulty {
    /// The shared stack.
    pub stack: Stack,
    /// The proxy of the functions' calls to AWS.
    pub proxy: &'static Proxy,
    _alone: MutexGuard<'static, ()>,
}

impl Faulty {
    /// Waits until no other test uses it, starts it if necessary, and disables all faults.
    pub async fn get() -> Self {
        static SHARED: OnceLock<(Proxy, Shared)> = OnceLock::new();
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let (proxy, shared) = SHARED.get_or_init(start);
        proxy.mend();
        let faulty = Self {
            stack: Stack::of(shared),
            proxy,
            _alone: alone,
        };
        faulty.set_visibility(VISIBILITY).await;
        faulty.set_receives(RECEIVES).await;
        faulty
    }

    /// Kills every process of a function (`"delivery"`) with SIGKILL, as the kernel does when
    /// memory runs out. Returns the number of processes.
    ///
    /// Processes are found by their program in this stack's directory.
    pub fn kill(&self, function: &str) -> usize {
        let programs = local::root()
            .join("target")
            .join(DIRECTORY)
            .join("functions");
        let programs = programs.canonicalize().expect("the functions' directory");
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let ours = processes.filter(|process| {
            let program = fs::read_link(process.path().join("exe")).unwrap_or_default();
            let name = program
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            program.parent() == Some(&programs) && name.starts_with(&format!("{function}-"))
        });
        let ids = ours.map(|process| process.file_name());
        ids.filter(|id| {
            Command::new("kill")
                .arg("-9")
                .arg(id)
                .status()
                .is_ok_and(|status| status.success())
        })
        .count()
    }

    /// Sets the visibility timeout of the working queues, in seconds.
    pub async fn set_visibility(&self, seconds: u32) {
        let queues = self.stack.queues();
        for queue in [&queues.events, &queues.deliveries, &queues.retries] {
            let attributes = json!({"VisibilityTimeout": seconds.to_string()});
            self.stack
                .aws(
                    "AmazonSQS.SetQueueAttributes",
                    &json!({"QueueUrl": queue, "Attributes": attributes}),
                )
                .await;
        }
    }

    /// Sets the maximum number of receives of the working queues.
    pub async fn set_receives(&self, count: u32) {
        let queues = self.stack.queues();
        let attributes = json!({"QueueUrl": queues.dead, "AttributeNames": ["QueueArn"]});
        let dead = self
            .stack
            .aws("AmazonSQS.GetQueueAttributes", &attributes)
            .await;
        let policy = json!({"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": count});
        for queue in [&queues.events, &queues.deliveries, &queues.retries] {
            let attributes = json!({"RedrivePolicy": policy.to_string()});
            self.stack
                .aws(
                    "AmazonSQS.SetQueueAttributes",
                    &json!({"QueueUrl": queue, "Attributes": attributes}),
                )
                .await;
        }
    }

    /// Waits until these events' deliveries to the webhook have all succeeded.
    pub async fn all_succeeded(&self, webhook: &Webhook, published: &BTreeMap<String, u64>) {
        self.all(webhook, published, "succeeded").await;
    }

    /// Waits until all these events' deliveries to the webhook have this status, and no other
    /// deliveries to it do.
    pub async fn all(&self, webhook: &Webhook, published: &BTreeMap<String, u64>, status: &str) {
        let path = format!("/v1/deliveries?webhook_id={}&status={status}", webhook.id);
        let all = async || {
            let mut listed = self.stack.listed(&path, "event_id").await;
            listed.sort_unstable();
            if listed.len() < published.len() {
                Err(listed.len().into())
            } else {
                Ok(listed)
            }
        };
        let listed = self.stack.until(&format!("all are {status}"), all).await;
        assert_eq!(
            listed.iter().collect::<Vec<_>>(),
            published.keys().collect::<Vec<_>>()
        );
    }

    /// Waits until the queue of this URL is empty.
    pub async fn until_empty(&self, queue: &str) {
        let empty = async || {
            let count = self.count(queue).await;
            if count == 0 {
                Ok(())
            } else {
                Err(count.into())
            }
        };
        self.stack.until(&format!("{queue} is empty"), empty).await;
    }

    /// Counts the messages on the queue of this URL.
    pub async fn count(&self, queue: &str) -> usize {
        let names = ["", "NotVisible", "Delayed"]
            .map(|which| format!("ApproximateNumberOfMessages{which}"));
        let query = json!({"QueueUrl": queue, "AttributeNames": names});
        let response = self.stack.aws("AmazonSQS.GetQueueAttributes", &query).await;
        let number = |name: &String| response["Attributes"][name].as_str()?.parse::<usize>().ok();
        names
            .iter()
            .map(|name| number(name).unwrap_or_else(|| panic!("no {name}: {response}")))
            .sum()
    }
}

fn start() -> (Proxy, Shared) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("a port").port();
    drop(listener);
    let proxy = Proxy::start(port);
    let mut options = options(DIRECTORY);
    options.port = port;
    options.proxy = Some(proxy.port());
    (proxy, Shared::start(&options))
}
