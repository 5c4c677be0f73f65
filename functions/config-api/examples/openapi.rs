//! Prints the OpenAPI document.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let document = config_api::openapi::complete(
        &config_api::routes::documented(),
        "https://tieline.example.com",
    );
    writeln!(std::io::stdout(), "{document:#}")
}
