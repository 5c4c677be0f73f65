//! Command line of `cargo dev`.

pub(crate) const HELP: &str = "\
Runs infra/template.yaml on this machine until Ctrl-C.

Usage: cargo dev [--port <port>] [--fresh] [--watch]

  --port <port>  port on 127.0.0.1 (default 4566)
  --fresh        discard the state in target/dev
  --watch        run the functions under `cargo lambda watch`, which rebuilds and restarts them when their sources
                 change; `cargo lambda invoke` reaches them at the next port";

/// The command to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Start(Arguments),
    Help,
}

/// Options for starting the stack.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) port: u16,
    pub(crate) fresh: bool,
    pub(crate) watch: bool,
}

impl Command {
    /// Parses the arguments of `cargo dev`.
    ///
    /// # Errors
    ///
    /// Describes the first argument that is unknown or has an invalid value.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Arguments {
            port: 4566,
            fresh: false,
            watch: false,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (name, value) = word
                .split_once('=')
                .map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            match (name, value) {
                ("--fresh", None) => arguments.fresh = true,
                ("--watch", None) => arguments.watch = true,
                ("--help" | "-h", None) => return Ok(Self::Help),
                ("--port", value) => {
                    arguments.port = port(value.map(str::to_owned).or_else(|| words.next()))?;
                }
                _ => return Err(format!("unknown argument {word}")),
            }
        }
        Ok(Self::Start(arguments))
    }
}

fn port(value: Option<String>) -> Result<u16, String> {
    let value = value.ok_or("--port needs a number")?;
    value
        .parse()
        .ok()
        // The next port must be valid as well.
        .filter(|port| (1024..u16::MAX).contains(port))
        .ok_or_else(|| format!("--port {value}: must be a number from 1024 to 65534"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_parsed() {
        for (line, port, fresh, watch) in [
            ("", 4566, false, false),
            ("--port 4600 --fresh", 4600, true, false),
            ("--watch --port=1024", 1024, false, true),
        ] {
            assert_eq!(
                parse(line),
                Ok(Command::Start(Arguments { port, fresh, watch })),
                "{line}"
            );
        }
        assert_eq!(parse("--fresh --help"), Ok(Command::Help));
    }

    #[test]
    fn invalid_arguments_are_rejected() {
        for (line, reason) in [
            ("--prot 1", "unknown argument --prot"),
            ("--fresh=yes", "unknown argument --fresh=yes"),
            ("4600", "unknown argument 4600"),
            ("--port", "--port needs a number"),
            (
                "--port http",
                "--port http: must be a number from 1024 to 65534",
            ),
            (
                "--port 80",
                "--port 80: must be a number from 1024 to 65534",
            ),
            (
                "--port 65535",
                "--port 65535: must be a number from 1024 to 65534",
            ),
            (
                "--port 70000",
                "--port 70000: must be a number from 1024 to 65534",
            ),
        ] {
            assert_eq!(parse(line), Err(reason.to_owned()), "{line}");
        }
    }
}
