//! Requests built for an event.

use super::*;

#[test]
fn request_is_signed_and_verifiable() {
    let webhook = webhook(&json!({
        "auth": {"type": "api_key", "header": "x-key", "value": "k-1"}, "headers": {"x-id": "{event.id}"},
    }));
    let event = event(json!({"text": "hi"}));
    let now = Timestamp::from_second(
        i64::try_from(
            std::time::UNIX_EPOCH
                .elapsed()
                .expect("a clock after 1970")
                .as_secs(),
        )
        .expect("seconds"),
    )
    .expect("now");
    let request = built(&webhook, &event, now).expect("a request");
    let body = request.body.as_deref().expect("a body");
    assert_eq!(
        serde_json::from_str::<Value>(body).expect("JSON")["data"],
        json!({"text": "hi"})
    );
    assert_eq!(request.headers["x-key"], "k-1");
    assert_eq!(request.headers["x-id"], event.id.to_string());
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers[crate::outgoing::HOPS_HEADER], "1");
    let verifier = standardwebhooks::Webhook::new(SECRET).expect("a verifier");
    verifier
        .verify(body.as_bytes(), &request.headers)
        .expect("a valid signature");
}

#[test]
fn get_has_no_body_without_a_template() {
    let now = at(0);
    let bare =
        built(&webhook(&json!({"method": "GET"})), &event(json!({})), now).expect("a request");
    assert_eq!((bare.body, bare.headers.get("content-type")), (None, None));
    let written = webhook(&json!({"method": "GET", "body": "{\"a\": {b}}"}));
    let request = built(&written, &event(json!({"b": [1]})), now).expect("a request");
    assert_eq!(request.body.as_deref(), Some("{\"a\": [1]}"));
}

#[test]
fn numbers_are_sent_unchanged() {
    for (number, written) in [
        ("31.245270191439438", "31.245270191439438"),
        ("121.48791951161945", "121.48791951161945"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1.0", "1.0"),
    ] {
        let data: Value = serde_json::from_str(&format!("{{\"n\": {number}}}")).expect("JSON");
        let sent = built(&webhook(&json!({})), &event(data), at(0))
            .expect("a request")
            .body
            .expect("a body");
        assert!(
            sent.contains(&format!("{{\"n\":{written}}}")),
            "{number}: {sent}"
        );
    }
}

#[test]
fn values_cannot_leave_the_service_url() {
    let webhook = webhook(&json!({
        "url": null, "service_id": "svc_01J0000000000000000000000S", "path": "/users/{id}/{name}?by={name}",
    }));
    let server = "https://h.example/api".parse().expect("a URL");
    let address = webhook
        .settings
        .destination
        .address(Some(&server))
        .expect("an address");
    for (id, name, url) in [
        ("7", "../..", None),
        ("..", "a", None),
        ("a/../b", "a", None),
        ("%2e%2e/", "a", None),
        ("a", "..;x", None),
        ("", "a", None),
        (
            "a/b",
            "x..y\n",
            Some("https://h.example/api/users/a%2Fb/x..y%0A?by=x..y%0A"),
        ),
    ] {
        let event = event(json!({"id": id, "name": name}));
        let built = request::build(&webhook, &address, &event, at(0));
        assert_eq!(
            built.as_ref().ok().map(|request| request.url.as_str()),
            url,
            "{id} {name}"
        );
        assert_eq!(
            request::preview(&webhook, &address, &event).0.is_ok(),
            url.is_some(),
            "{id} {name}"
        );
    }
}
