//! The template as `aws cloudformation package` would upload it: packages by their place in the
//! bucket. And with numbers in place of the parameters that are numbers, since the emulator hands
//! them on as strings, which its queue pollers refuse, and of timeouts, which may be shorter here
//! than the template lets them be on AWS.

/// `text` with each function's `CodeUri` pointing to the bucket, or the name of a function that has
/// none.
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

/// `text`, which [`packaged`] made, with the address that the emulator shall hand each function's
/// invocations on to.
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

/// `text` without the alarms over several metrics, which the emulator does not have.
pub(crate) fn without_metric_math(text: &str) -> String {
    let resources: Vec<_> = text
        .split("\n\n")
        .filter(|resource| !resource.contains("\n      Metrics:\n"))
        .collect();
    resources.join("\n\n")
}

/// The timeouts, which stand in the template as numbers alone: it would refuse short ones as
/// parameters.
pub(crate) const TIMEOUTS: [&str; 2] = ["WorkerTimeout", "VisibilityTimeout"];

/// `text` with the values of numeric parameters and timeouts where they are referred to.
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
    fn every_function_of_the_template_is_packaged() {
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
    fn every_function_can_be_forwarded() {
        let packages: Vec<_> = FUNCTIONS.iter().map(|name| (*name, *name)).collect();
        let text = packaged(TEMPLATE, "deploy", &packages).unwrap();
        let text = forwarded(&text, "deploy", &packages, |function| {
            format!("http://h/{function}")
        });
        for function in FUNCTIONS {
            let expected = format!("MINISTACK_LAMBDA_PROXY_URL: \"http://h/{function}\"");
            assert_eq!(text.matches(&expected).count(), 1, "{function}");
        }
        // Each would replace the line above.
        assert!(!TEMPLATE.contains("      Environment: {"));
    }

    #[test]
    fn a_function_without_code_is_named() {
        assert_eq!(
            packaged(TEMPLATE, "deploy", &[("billing", "k")]),
            Err("billing")
        );
    }

    #[test]
    fn numbers_stand_where_their_parameters_were() {
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
    fn alarms_over_several_metrics_are_left_out_and_nothing_else() {
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
    fn only_the_delivery_function_may_feed_its_own_queue() {
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
