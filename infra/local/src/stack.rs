//! `stack.json`: addresses and names for scripts and tests.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::deploy::{Deployed, Queues};

/// Addresses and names of a running stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Base URL of `/v1/…` and `/in/…`.
    pub api_url: String,
    /// The first admin's token, with scope `admin`.
    pub admin_token: String,
    /// Settings of AWS clients for the emulator.
    pub aws: Aws,
    /// Deployed name of each function.
    pub functions: BTreeMap<String, String>,
    /// Name of the table.
    pub table: String,
    /// URLs of the queues.
    pub queues: Queues,
}

/// Settings of an AWS client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aws {
    /// URL of the emulator.
    pub endpoint_url: String,
    /// Other regions are separate and empty in the emulator.
    pub region: String,
    /// Not a secret.
    pub access_key_id: String,
    /// Not a secret.
    pub secret_access_key: String,
}

impl Aws {
    pub(crate) fn new(base: &str) -> Self {
        Self {
            endpoint_url: base.to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
        }
    }

    /// The settings as environment variables.
    pub(crate) fn environment(self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint_url),
            ("AWS_REGION", self.region),
            ("AWS_ACCESS_KEY_ID", self.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key),
        ]
    }
}

impl Stack {
    pub(crate) fn new(base: &str, deployed: Deployed, admin_token: String) -> Self {
        Self {
            api_url: deployed.api_url,
            admin_token,
            aws: Aws::new(base),
            functions: deployed.functions,
            table: deployed.table,
            queues: deployed.queues,
        }
    }

    /// Writes the file atomically, and readable for this user only, because it contains a token.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let partial = path.with_extension("partial");
        let _ = fs::remove_file(&partial);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.write_all(b"\n")?;
        fs::rename(&partial, path)
    }

    /// Reads the file of an earlier run. None if it is missing or invalid.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }
}
