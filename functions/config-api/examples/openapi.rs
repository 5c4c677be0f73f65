//! Prints the OpenAPI document.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let document = config_api::openapi::complete(
        &config_api::routes::all().into_openapi(),
        "https://tieline.example.com",
    );
    writeln!(std::io::stdout(), "{document:#}")
}
