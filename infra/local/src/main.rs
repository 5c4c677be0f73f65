//! `cargo dev`: runs the stack on this machine until Ctrl-C.

mod arguments;

use std::{
    fmt::Write as _,
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use arguments::{Arguments, Command};
use local::{Options, Running, StartError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

fn main() -> ExitCode {
    let arguments = match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Start(arguments)) => arguments,
        Ok(Command::Help) => {
            say(arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), StartError> {
    let options = Options {
        directory: "dev".to_owned(),
        port: arguments.port,
        fresh: arguments.fresh,
        parameters: Vec::new(),
        proxy: None,
        say,
    };
    // Until the stack is up, a signal ends this process immediately. Its child processes detect
    // that, and the saved state is unchanged.
    let mut running = if arguments.watch {
        local::up_with_reload(&options, arguments.port + 1)?
    } else {
        local::up(&options)?
    };
    let stop = on_signal();
    say(&greeting(&running));
    while !stop.load(Ordering::Relaxed) {
        running.check()?;
        thread::sleep(Duration::from_millis(200));
    }
    say("\nStopping. The state is kept in target/dev …");
    running.down(say, &on_signal())
}

/// Returns a flag that the next signal sets.
fn on_signal() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag))
            .expect("these signals can be caught");
    }
    flag
}

/// Prints a line. Ignores errors, because a closed stdout is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn greeting(running: &Running) -> String {
    let stack = running.stack();
    let url = &stack.api_url;
    let token = &stack.admin_token;
    let bearer = format!("-H 'authorization: Bearer {token}'");
    let post = format!("curl -sS {bearer} -H 'content-type: application/json'");
    let mut text = format!(
        "
Tieline is up.
  API     {url}
  token   {token}
  names   target/dev/stack.json      logs   target/dev/*.log

To try it with a receiver on port 9000:
  {post} {url}/v1/webhooks -d '{{\"name\":\"first\",\"url\":\"http://127.0.0.1:9000/hook\",\"events\":[\"message\"]}}'
  {post} {url}/v1/events -d '{{\"type\":\"message\",\"data\":{{\"text\":\"hello\"}}}}'
  curl -sS {bearer} {url}/v1/deliveries
"
    );
    if let Some(port) = running.invoke_port() {
        let _ = write!(
            text,
            "
To invoke a single function, at port {port}:
  PATH=\"$PWD/target/tools/cargo-lambda/bin:$PATH\" \\
    cargo lambda invoke --invoke-address 127.0.0.1 --invoke-port {port} dispatch --data-file events/dispatch.json
"
        );
    }
    text.push_str("\nPress Ctrl-C to stop.");
    text
}
