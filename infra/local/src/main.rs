//! `cargo dev`: the stack on this machine until Ctrl-C.

mod arguments;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arguments::{Arguments, Command};
use local::{Options, Stack, UpError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What a shell answers for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

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
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).expect("these signals can be caught");
    }
    match run(&arguments, &stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if stop.load(Ordering::Relaxed) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, stop: &AtomicBool) -> Result<(), UpError> {
    let options = Options {
        directory: "dev".to_owned(),
        port: arguments.port,
        fresh: arguments.fresh,
        parameters: Vec::new(),
        proxy: None,
        say: |step| say(&format!("{step} …")),
    };
    let mut running =
        if arguments.watch { local::up_with_reload(&options, arguments.port + 1)? } else { local::up(&options)? };
    say(&greeting(running.stack()));
    while !stop.load(Ordering::Relaxed) {
        running.check()?;
        thread::sleep(Duration::from_millis(200));
    }
    say("\nStopping; the state stays in target/dev …");
    running.down();
    Ok(())
}

/// Nobody may be reading any more, which is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn greeting(stack: &Stack) -> String {
    // Single quotes in the commands: the URL has a dollar sign.
    let url = &stack.api_url;
    let bearer = format!("-H 'authorization: Bearer {}'", stack.admin_token);
    let post = format!("curl -sS {bearer} -H 'content-type: application/json'");
    format!(
        "
Tieline is up.
  API     {url}
  token   {token}
  names   target/dev/stack.json      logs   target/dev/*.log

Try, with a receiver on port 9000:
  {post} '{url}/v1/webhooks' -d '{{\"name\":\"first\",\"url\":\"http://127.0.0.1:9000/hook\",\"events\":[\"message\"]}}'
  {post} '{url}/v1/events' -d '{{\"type\":\"message\",\"data\":{{\"text\":\"hello\"}}}}'
  curl -sS {bearer} '{url}/v1/deliveries'

Ctrl-C stops it.",
        token = stack.admin_token,
    )
}
