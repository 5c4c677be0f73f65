//! Prepares the template like `aws cloudformation package`: packages refer to the bucket. Also
//! inlines numeric parameters, because the emulator passes them as strings, which its queue pollers
//! reject, and timeouts, which may be shorter here than the template allows on AWS.

/// Returns `text` with each function's `CodeUri` in the bucket. The error names a function without
/// one.
///
/// `packages` are pairs of a function's name and the key of its package.
pub(crate) fn packaged<'a>(
    text: &str,
    bucket: &str,
    packages: &[(&'a str, &str)],
) -> Result<String, &'a str> {
    let mut text = text.to_owned();
    for (function, key) in packages {
        let local = format!("CodeUri: ../target/lambda/{function}/bootstrap.zip\n");
        if !text.contains(&local) {
            return Err(function);
        }
        text = text.replace(&local, &format!("CodeUri: s3://{bucket}/{key}\n"));
    }
    Ok(text)
}

/// Returns `text` from [`packaged`] with the addresses to which the emulator forwards each
/// function's invocations.
pub(crate) fn forwarded(
    text: &str,
    bucket: &str,
    packages: &[(&str, &str)],
    address: impl Fn(&str) -> String,
) -> String {
    packages
        .iter()
        .fold(text.to_owned(), |text, (function, key)| {
            let code = format!("CodeUri: s3://{bucket}/{key}\n");
            let variables = format!("MINISTACK_LAMBDA_PROXY_URL: \"{}\"", address(function));
            text.replace(
                &code,
                &format!("{code}      Environment: {{ Variables: {{ {variables} }} }}\n"),
            )
        })
}

/// Returns `text` without alarms on several metrics, which the emulator does not support.
pub(crate) fn without_metric_math(text: &str) -> String {
    let resources: Vec<_> = text
        .split("\n\n")
        .filter(|resource| !resource.contains("\n      Metrics:\n"))
        .collect();
    resources.join("\n\n")
}

/// Timeouts that are inlined because the template rejects short ones as parameters.
pub(crate) const TIMEOUTS: [&str; 2] = ["WorkerTimeout", "VisibilityTimeout"];

/// Returns `text` with the values of numeric parameters and timeouts in place of references to
/// them.
pub(crate) fn with_numbers(text: &str, parameters: &[(String, String)]) -> String {
    parameters
        .iter()
        .filter(|(_, value)| value.parse::<u32>().is_ok())
        .fold(text.to_owned(), |text, (name, value)| {
            let mapped = format!(" !FindInMap [{name}, !Ref WorkerTimeout, Seconds]\n");
            text.replace(&mapped, &format!(" {value}\n"))
                .replace(&format!(" !Ref {name}\n"), &format!(" {value}\n"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FUNCTIONS;

    const TEMPLATE: &str = include_str!("../../template.yaml");

    #[test]
    fn all_functions_are_packaged() {
        let packages: Vec<_> = FUNCTIONS.iter().map(|name| (*name, *name)).collect();
        let text = packaged(TEMPLATE, "deploy", &packages).unwrap();
        assert!(!text.contains("../target"));
        assert_eq!(
            text.matches("CodeUri: s3://deploy/").count(),
            FUNCTIONS.len()
        );
        assert_eq!(text.lines().count(), TEMPLATE.lines().count());
    }

    #[test]
    fn all_functions_can_be_forwarded() {
        let packages: Vec<_> = FUNCTIONS.iter().map(|name| (*name, *name)).collect();
        let text = packaged(TEMPLATE, "deploy", &packages).unwrap();
        let text = forwarded(&text, "deploy", &packages, |function| {
            format!("http://h/{function}")
        });
        for function in FUNCTIONS {
            let expected = format!("MINISTACK_LAMBDA_PROXY_URL: \"http://h/{function}\"");
            assert_eq!(text.matches(&expected).count(), 1, "{function}");
        }
        // Any other `Environment` would be replaced by the line above.
        assert!(!TEMPLATE.contains("      Environment: {"));
    }

    #[test]
    fn function_without_code_is_an_error() {
        assert_eq!(
            packaged(TEMPLATE, "deploy", &[("billing", "k")]),
            Err("billing")
        );
    }

    #[test]
    fn numeric_parameters_are_inlined() {
        let parameters = [
            ("MaximumConcurrency", "4"),
            ("EgressAllow", "127.0.0.1:9000-9999"),
            ("WorkerTimeout", "50"),
            ("VisibilityTimeout", "61"),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = with_numbers(TEMPLATE, &parameters);
        assert_eq!(text.matches("MaximumConcurrency: 4\n").count(), 3);
        assert!(text.contains("EGRESS_ALLOW: !Ref EgressAllow\n"));
        assert_eq!(text.matches(" Timeout: 50\n").count(), 1);
        assert_eq!(text.matches("VisibilityTimeout: 61\n").count(), 3);
        assert!(!text.contains("!FindInMap"));
    }

    #[test]
    fn only_alarms_on_several_metrics_are_removed() {
        let names = |text: &str| -> Vec<String> {
            let lines = text
                .lines()
                .filter(|line| line.starts_with("  ") && line.as_bytes()[2].is_ascii_alphabetic());
            lines.map(str::to_owned).collect()
        };
        let (all, kept) = (names(TEMPLATE), names(&without_metric_math(TEMPLATE)));
        let left_out: Vec<_> = all.iter().filter(|name| !kept.contains(name)).collect();
        assert!(
            !left_out.is_empty() && left_out.iter().all(|name| name.ends_with("Alarm:")),
            "{left_out:?}"
        );
        assert!(
            kept.iter().all(|name| all.contains(name))
                && kept.iter().any(|name| name == "  DeadLettersAlarm:")
        );
    }

    #[test]
    fn only_delivery_allows_recursive_loops() {
        let allowing: Vec<_> = TEMPLATE
            .split("\n\n")
            .filter(|resource| {
                resource
                    .lines()
                    .any(|line| line.trim() == "RecursiveLoop: Allow")
            })
            .map(|resource| resource.trim().lines().next().unwrap())
            .collect();
        assert_eq!(allowing, ["DeliveryFunction:"]);
    }
}
