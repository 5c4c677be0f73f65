//! Proxy between the functions and the emulator that fails some calls as AWS does.
//!
//! It takes one call per connection, and forwards it, responds with an error, or forwards it and
//! drops the response. A seed and the number of the call decide which.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

/// The proxy. It runs until the process ends.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    emulator: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rule: Rule,
    calls: u64,
    met: BTreeMap<(String, Option<Fault>), usize>,
}

/// The selection of calls that fail.
#[derive(Debug, Default, Clone, Copy)]
enum Rule {
    #[default]
    None,
    Some {
        percent: u64,
        seed: u64,
    },
    Actions(&'static [&'static str]),
}

/// The way a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 400: throttling.
    Throttled,
    /// 500: internal error.
    Broken,
    /// The call takes effect, and the connection closes without a response.
    ResponseLost,
    /// 400: access denied. Retries do not help.
    Denied,
}

/// The transient faults.
pub const TRANSIENT: [Fault; 3] = [Fault::Throttled, Fault::Broken, Fault::ResponseLost];

impl Proxy {
    pub(super) fn start(emulator: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        let inner = Arc::new(Inner {
            emulator,
            state: Mutex::default(),
        });
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let inner = Arc::clone(&shared);
                // A killed client is not an error.
                thread::spawn(move || inner.serve(client).ok());
            }
        });
        Self { port, inner }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Disables all faults and resets the counters.
    pub fn mend(&self) {
        *self.inner.state() = State::default();
    }

    /// Fails a percentage of later calls with every transient fault, chosen by the seed.
    pub fn fail(&self, percent: u64, seed: u64) {
        *self.inner.state() = State {
            rule: Rule::Some { percent, seed },
            ..State::default()
        };
    }

    /// Denies these actions (`"Query"`) to later calls.
    pub fn deny(&self, actions: &'static [&'static str]) {
        *self.inner.state() = State {
            rule: Rule::Actions(actions),
            ..State::default()
        };
    }

    /// Counts the calls to a service (`"DynamoDB"`) that met this fault, or succeeded.
    pub fn met(&self, service: &str, fault: Option<Fault>) -> usize {
        self.inner
            .state()
            .met
            .get(&(service.to_owned(), fault))
            .copied()
            .unwrap_or_default()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("state")
    }

    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some(request) = Request::read(&mut client)? else {
            return Ok(());
        };
        let fault = self.choose_fault(&request);
        match fault {
            None => client.write_all(&self.forward(&request)?)?,
            Some(Fault::ResponseLost) => drop(self.forward(&request)?),
            Some(Fault::Broken) => client.write_all(&error(500, "InternalServerError"))?,
            Some(Fault::Denied) => client.write_all(&error(400, "AccessDeniedException"))?,
            Some(Fault::Throttled) => {
                let dynamo = request.service == "DynamoDB";
                let code = if dynamo {
                    "ProvisionedThroughputExceededException"
                } else {
                    "ThrottlingException"
                };
                client.write_all(&error(400, code))?;
            }
        }
        client.shutdown(Shutdown::Both)
    }

    fn choose_fault(&self, request: &Request) -> Option<Fault> {
        let mut state = self.state();
        let fault = match state.rule {
            Rule::None => None,
            Rule::Some { percent, seed } => chosen(percent, seed, state.calls),
            Rule::Actions(denied) => denied
                .contains(&request.action.as_str())
                .then_some(Fault::Denied),
        };
        state.calls += 1;
        *state
            .met
            .entry((request.service.clone(), fault))
            .or_default() += 1;
        fault
    }

    /// Forwards a call. Returns the emulator's response, which closes the connection.
    fn forward(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut emulator = TcpStream::connect((Ipv4Addr::LOCALHOST, self.emulator))?;
        emulator.write_all(&last(&request.bytes))?;
        let mut answer = Vec::new();
        emulator.read_to_end(&mut answer)?;
        Ok(last(&answer))
    }
}

fn chosen(percent: u64, seed: u64, call: u64) -> Option<Fault> {
    let mut hasher = DefaultHasher::new();
    (seed, call).hash(&mut hasher);
    let chance = hasher.finish();
    let kind = usize::try_from(chance / 100 % 3).expect("small");
    (chance % 100 < percent).then_some(TRANSIENT[kind])
}

fn error(status: u16, code: &str) -> Vec<u8> {
    let body = format!(r#"{{"__type": "{code}", "message": "by intent"}}"#);
    let headers = format!("content-type: application/x-amz-json-1.0\r\nx-amzn-errortype: {code}");
    format!(
        "HTTP/1.1 {status} X\r\n{headers}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sets `connection: close` in a message, which makes it the last one on its connection.
fn last(message: &[u8]) -> Vec<u8> {
    let (head, body) = message.split_at(end_of_head(message).unwrap_or(message.len()));
    let head = String::from_utf8_lossy(head);
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    lines.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    lines.push("connection: close\r\n\r\n");
    [lines.join("\r\n").as_bytes(), body].concat()
}

/// A raw call.
struct Request {
    bytes: Vec<u8>,
    service: String,
    action: String,
}

impl Request {
    /// Reads the first call on a connection, if any.
    fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = client.read(&mut buffer)?;
            if count == 0 {
                return Ok(None);
            }
            bytes.extend_from_slice(&buffer[..count]);
            let Some(head) = end_of_head(&bytes) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let length = header(&text, "content-length")
                .and_then(|value| value.parse().ok())
                .unwrap_or(0);
            if bytes.len() < head + length {
                continue;
            }
            // Such as `DynamoDB_20120810.PutItem`.
            let (service, action) = header(&text, "x-amz-target")
                .and_then(|t| t.split_once('.'))
                .unwrap_or_default();
            let service = service.split('_').next().unwrap_or_default().to_owned();
            return Ok(Some(Self {
                service,
                action: action.to_owned(),
                bytes,
            }));
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    headers
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_faults_have_the_requested_rate_and_every_kind() {
        let faults: Vec<_> = (0..3000).filter_map(|call| chosen(20, 1, call)).collect();
        assert!((500..700).contains(&faults.len()), "{}", faults.len());
        for fault in TRANSIENT {
            let count = faults.iter().filter(|found| **found == fault).count();
            assert!((150..250).contains(&count), "{fault:?}: {count}");
        }
        assert_eq!(
            faults,
            (0..3000)
                .filter_map(|call| chosen(20, 1, call))
                .collect::<Vec<_>>()
        );
        assert_ne!(
            faults,
            (0..3000)
                .filter_map(|call| chosen(20, 2, call))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn last_message_closes_its_connection_and_keeps_its_body() {
        let message = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\ncontent-length: 6\r\n\r\n\x00\r\n\r\n\xff";
        let expected =
            b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n\x00\r\n\r\n\xff";
        assert_eq!(last(message), expected);
    }
}
