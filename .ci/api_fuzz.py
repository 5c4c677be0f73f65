"""Runs schemathesis against a running stack, seeded and bounded in time, with three kinds of tokens.

With all scopes, every request must get a documented response. With a single scope, all other routes must return 403;
without a token, all must return 401. TIELINE_URL and TIELINE_TOKEN are the stack's URL and its admin's token. This file is
also the module of checks that schemathesis loads.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import schemathesis

SEED = "20817"

# Without `positive_data_acceptance`: schemas can't express that an ID must exist.
CHECKS = [
    "no_internal_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
]


@schemathesis.check
def no_internal_error(_context: Any, response: Any, _case: Any) -> None:
    """Fails on 5xx, except 502 and 504 for failures of third parties, which only some operations document."""
    assert response.status_code < 500 or response.status_code in (502, 504), f"{response.status_code}"


@schemathesis.check
def rejected(_context: Any, response: Any, case: Any) -> None:
    """Expects 401 without a token, and 403 if the token lacks the operation's scope."""
    security = case.operation.definition.raw["security"]
    scopes = security[0]["token"] if security else []
    scope = os.environ.get("TIELINE_SCOPE", "")
    if case.operation.method.upper() != case.method.upper() or not scopes or scope in scopes:
        return
    expected = 403 if scope else 401
    assert response.status_code == expected, f"{response.status_code}, not {expected}"


def call(method: str, path: str, body: Any = None) -> Any:
    """Sends a request to the API as the admin."""
    headers = {"authorization": f"Bearer {os.environ['TIELINE_TOKEN']}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["TIELINE_URL"] + path, data, headers, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def run(name: str, token: str, scope: str, seconds: int, *more: str) -> bool:
    """Runs schemathesis. Returns whether it found nothing."""
    print(f"== schemathesis: {name}", flush=True)
    url, here = os.environ["TIELINE_URL"], Path(__file__)
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json", "--url", url, "--seed", SEED,
        "--max-time", str(seconds), "--workers", "1", "--output-truncate", "false", "--warnings", "off",
        # Served by another function, or not JSON.
        "--exclude-path-regex", "^/(in|docs|problems)", *more,
    ]
    command += ["--header", f"Authorization: Bearer {token}"] if token else []
    known = {"SCHEMATHESIS_HOOKS": here.stem, "PYTHONPATH": str(here.parent), "TIELINE_SCOPE": scope}
    return subprocess.run(command, check=False, env=os.environ | known).returncode == 0


def credential(scopes: list[str]) -> str:
    """Creates a credential and returns its token."""
    return call("POST", "/v1/credentials", {"description": "schemathesis", "scopes": scopes})["token"]


def main() -> int:
    """Performs all runs, even if one of them fails."""
    document = call("GET", "/openapi.json")
    # Without `admin`: no run may revoke the admin's own credential.
    scopes = [scope for scope in document["components"]["schemas"]["Scope"]["enum"] if scope != "admin"]
    checks = ["--checks", "rejected", "--mode", "positive", "--phases", "examples,fuzzing"]
    fine = [
        run("all scopes", credential(scopes), "", 120, "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
        run("a single scope", credential(["audit:read"]), "audit:read", 40, *checks),
        run("no token", "", "", 40, *checks),
    ]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
