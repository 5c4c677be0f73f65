//! AWS clients, optimized for cold starts: no connection is made and no root certificate parsed
//! before the first request.
//!
//! All clients share one HTTP client (rustls on ring) that trusts only the roots of AWS's own
//! endpoints. Region, endpoint and credentials come from the environment that Lambda sets. The
//! SDK's other sources (files, instance metadata, SSO) are never used. Requests are retried in the
//! SDK's standard mode (3 attempts), and none takes longer than [`OPERATION`]. These timeouts also
//! end stalled transfers, so the SDK's own protection against them is off.

use std::{sync::LazyLock, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
    retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_sqs::{
    config::{HttpClient, SharedCredentialsProvider, SharedHttpClient},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::http_client_fn;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::config::{self, ConfigError};

/// Timeout of one request, including retries. A delivery reads, waits up to 30 s for the endpoint
/// and records: twice this and 30 s fit into a function's 60 s.
pub const OPERATION: Duration = Duration::from_secs(12);
const ATTEMPT: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);

/// Shared configuration of the AWS clients of this process.
#[derive(Debug, Clone)]
pub struct Aws(SdkConfig);

impl Aws {
    /// Reads `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, and
    /// `AWS_ENDPOINT_URL` for an emulator. Missing credentials surface with the first request.
    pub fn from_env() -> Result<Self, ConfigError> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config::aws_region()?))
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ))
            .http_client(http_client())
            .retry_config(RetryConfig::standard())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeouts);
        Ok(Self::new(match config::aws_endpoint() {
            Some(url) => config.endpoint_url(url).build(),
            None => config.build(),
        }))
    }

    /// Wraps an existing configuration.
    pub fn new(config: SdkConfig) -> Self {
        Self(config)
    }

    /// Creates a `DynamoDB` client. Create one and clone it: each client caches its own
    /// credentials.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.0)
    }

    /// Creates an SQS client.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.0)
    }

    /// Creates a Secrets Manager client.
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.0)
    }
}

/// Error of a request to AWS, safe to log. The SDK's own errors contain whole responses, including
/// secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// The service returned an error.
    #[error("{code}: {message}")]
    Service {
        /// The service's error code, such as `ResourceNotFoundException`.
        code: String,
        /// The service's error message.
        message: String,
    },
    /// No response within the timeout.
    #[error("timed out")]
    TimedOut,
    /// The service could not be reached.
    #[error("could not be reached: {0}")]
    Unreachable(String),
    /// The request could not be built, or the response could not be parsed.
    #[error("the request could not be built or its response not parsed")]
    Unusable,
}

impl<E: ProvideErrorMetadata, R> From<SdkError<E, R>> for AwsError {
    fn from(error: SdkError<E, R>) -> Self {
        match &error {
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::DispatchFailure(failure) => {
                let cause = failure.as_connector_error().map(|error| chain(error));
                Self::Unreachable(cause.unwrap_or_default())
            }
            SdkError::ServiceError(error) => Self::Service {
                code: error.err().code().unwrap_or("unknown").to_owned(),
                message: error.err().message().unwrap_or_default().to_owned(),
            },
            _ => Self::Unusable,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Builds the client at the first request. The SDK would otherwise build the TLS settings once per
/// client, at startup.
fn http_client() -> SharedHttpClient {
    let client = LazyLock::new(|| {
        let trust = TlsContext::builder()
            .with_trust_store(amazon_roots())
            .build()
            .expect("a trust store suffices");
        aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(trust)
            .build_https()
    });
    http_client_fn(move |settings, components| client.http_connector(settings, components))
}

/// Amazon's own roots, the only ones that AWS asks clients to trust
/// (<https://www.amazontrust.com/repository>). Parsing 5 roots instead of all 140 saves most of the
/// time of the first request.
fn amazon_roots() -> TrustStore {
    let ours = |der: &[u8]| {
        [
            "Amazon Root CA ",
            "Starfield Services Root Certificate Authority - G2",
        ]
        .iter()
        .any(|name| {
            der.windows(name.len())
                .any(|window| window == name.as_bytes())
        })
    };
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter(|der| ours(der))
        .fold(TrustStore::empty(), |trust, der| {
            let text = STANDARD.encode(der);
            trust.with_pem_certificate(format!(
                "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
            ))
        })
}

/// Creates in-process clients. `respond` maps action and input to status and output.
#[cfg(test)]
pub(crate) fn fake(
    respond: impl Fn(&str, serde_json::Value) -> (u16, serde_json::Value) + Send + Sync + 'static,
) -> Aws {
    use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector,
    };

    struct Fake<F>(F);
    impl<F> std::fmt::Debug for Fake<F> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Fake")
        }
    }
    impl<F: Fn(&str, serde_json::Value) -> (u16, serde_json::Value) + Send + Sync> HttpConnector
        for Fake<F>
    {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let action = request
                .headers()
                .get("x-amz-target")
                .expect("target")
                .rsplit('.')
                .next()
                .expect("action");
            let input =
                serde_json::from_slice(request.body().bytes().expect("body")).expect("json");
            let (status, output) = (self.0)(action, input);
            let status = status.try_into().expect("status");
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, output.to_string().into())))
        }
    }

    let connector = SharedHttpConnector::new(Fake(respond));
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(
            aws_sdk_sqs::config::Credentials::for_tests(),
        ))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .retry_config(RetryConfig::disabled());
    Aws::new(config.build())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn trust_store_contains_the_five_amazon_roots() {
        assert_eq!(
            format!("{:?}", amazon_roots())
                .matches("CertificatePEM")
                .count(),
            5
        );
    }

    #[tokio::test]
    async fn aws_error_omits_the_response() {
        let refused = fake(|_, _| {
            (
                400,
                json!({"__type": "ResourceNotFoundException", "message": "no such table"}),
            )
        });
        let error = refused
            .dynamodb()
            .describe_table()
            .table_name("t")
            .send()
            .await
            .expect_err("refused");
        assert_eq!(
            AwsError::from(error).to_string(),
            "ResourceNotFoundException: no such table"
        );

        // Nothing listens on this port. The test uses the real HTTP client.
        let config = fake(|_, _| (200, json!({}))).0.into_builder();
        let unreachable = Aws::new(
            config
                .http_client(http_client())
                .endpoint_url("https://127.0.0.1:1")
                .build(),
        );
        let error = unreachable
            .dynamodb()
            .describe_table()
            .table_name("t")
            .send()
            .await
            .expect_err("unreachable");
        assert!(matches!(AwsError::from(error), AwsError::Unreachable(_)));
    }
}
