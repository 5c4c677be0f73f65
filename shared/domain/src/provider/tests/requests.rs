use super::*;

#[test]
fn default_request_is_signed_json() {
    let (one, message) = (provider(&json!({})), sms("hi"));
    let request = request::build(&one, &message, None, at(0)).expect("a request");
    let body = request.body.expect("a body");
    assert_eq!(
        serde_json::from_str::<Value>(&body).expect("JSON"),
        json!({
            "id": message.id, "provider_id": "gw-1", "channel": "sms", "to": "+15555550100", "from": "+15555550111",
            "subject": null, "text": "hi", "html": null, "metadata": {},
        })
    );
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://gw.example.com/send")
    );
    assert_eq!(header(&request.headers, "x-api-key"), KEYS[0]);
    assert_eq!(header(&request.headers, "content-type"), "application/json");
    assert_eq!(
        header(&request.headers, "webhook-id"),
        message.id.to_string()
    );
    let key = crate::signature::SigningSecret::parse(KEYS[1]).expect("of 24 characters");
    let timestamp = header(&request.headers, "webhook-timestamp");
    let signature = header(&request.headers, "webhook-signature");
    assert!(crate::signature::verifies(
        &message.id.to_string(),
        timestamp,
        body.as_bytes(),
        signature,
        &key
    ));
    assert!(
        request::build(
            &provider(&json!({"secret_key": "short"})),
            &message,
            None,
            at(0)
        )
        .is_ok()
    );
}

#[test]
fn each_auth_sets_its_header() {
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{}:{}", KEYS[0], KEYS[1]))
    );
    let bearer = format!("Bearer {}", KEYS[0]);
    for (auth, name, value) in [
        (json!({"type": "basic"}), "authorization", basic.as_str()),
        (json!({"type": "bearer"}), "authorization", &bearer),
        (
            json!({"type": "header", "name": "X-Mine"}),
            "x-mine",
            KEYS[0],
        ),
    ] {
        let one = provider(&json!({"auth": auth}));
        let request = request::build(&one, &sms("hi"), None, at(0)).expect("a request");
        assert_eq!(header(&request.headers, name), value);
        assert!(
            request.headers[name].is_sensitive()
                && !request.headers.contains_key("webhook-signature")
        );
        assert_eq!(
            Redactor::new(one.secrets())
                .whole(&format!("you sent {value}, {}", KEYS[1]))
                .matches("a-")
                .count(),
            0
        );
    }
}

#[test]
fn auth_none_sends_keys_only_in_tags() {
    let auth = json!({"type": "none"});
    let one =
        provider(&json!({"auth": auth, "send_url": "https://gw.example.com/{secret.api_key}"}));
    let request = request::build(&one, &sms("hi"), None, at(0)).expect("a request");
    let names: Vec<&str> = request
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    assert_eq!(names, ["content-type", "tieline-hops"]);
    assert_eq!(
        request.url.as_str(),
        format!("https://gw.example.com/{}", KEYS[0])
    );
    assert_eq!(one.settings.auth.to_value(), auth);
    assert_eq!(
        Redactor::new(one.secrets()).whole(&format!("you sent {}", KEYS[0])),
        "you sent •••"
    );
}

#[test]
fn missing_tags_are_listed_without_a_request() {
    let one = provider(&json!({
        "send_url": "https://gw.example.com/{message.metadata.region}/send",
        "request": {"headers": {"x-a": "{message.subject}"}, "body": "[{message.to}, {message.metadata.b}]"},
    }));
    assert!(request::build(&one, &sms("hi"), None, at(0)).is_err());
    let missing = request::missing(&one, &sms("hi"), None);
    assert_eq!(
        Vec::from(missing),
        ["message.metadata.b", "message.metadata.region"]
    );
}

#[test]
fn template_fields_and_campaign_are_tags() {
    let document = json!({
        "channel": "sms", "to": "+15555550100", "template": "order_shipped",
        "fields": {"order": 20_817, "First Name": "Zoë \"Z\"", "vip": true, "name": "n"},
    });
    let mut templated = message(document, Channel::Sms);
    templated.campaign_id = "camp_01K3S0M3ZC0000000000000000".parse().ok();
    templated.campaign = Some("Spring".to_owned());
    let rendered = |body: &str, message: &Message| {
        let one = provider(&json!({
            "send_url": "https://gw.example.com/{message.template | default: 'none'}/{campaign.id | default: 0}",
            "request": {"body": body},
        }));
        let request = request::build(&one, message, None, at(0)).expect("a request");
        let missing: Vec<String> = request.missing.into();
        let body = request.body.expect("a body");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        (request.url.path().to_owned(), body, missing)
    };
    let body = r#"{
        "all": {message.fields}, "text": "{message.fields}", "order": {message.fields.order},
        "name": "{message.fields.\"First Name\" | upper}", "own": {message.fields.name},
        "vip": {message.fields.vip}, "no": {message.fields.nothing}, "campaign": "{campaign.name}"
    }"#;
    let all = json!([
        {"name": "First Name", "value": "Zoë \"Z\""}, {"name": "name", "value": "n"},
        {"name": "order", "value": 20_817}, {"name": "vip", "value": true},
    ]);
    let sorted = |list: &Value| {
        let mut list = list.as_array().expect("a list").clone();
        list.sort_by_key(|entry| entry["name"].to_string());
        Value::from(list)
    };
    let (path, mut shown, missing) = rendered(body, &templated);
    assert_eq!(path, "/order_shipped/camp_01K3S0M3ZC0000000000000000");
    assert_eq!(sorted(&shown["all"].take()), sorted(&all));
    let text = shown["text"].take();
    let text: Value = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
    assert_eq!(sorted(&text), sorted(&all));
    assert_eq!(
        shown,
        json!({
            "all": null, "text": null, "order": 20_817, "name": "ZOË \"Z\"", "own": "n", "vip": true,
            "no": null, "campaign": "Spring",
        })
    );
    assert_eq!(missing, ["message.fields.nothing"]);

    let (path, shown, _) = rendered("[{message.fields}, {campaign.name}]", &sms("hi"));
    assert_eq!((path.as_str(), shown), ("/none/0", json!([[], null])));

    // The default request contains them as well.
    let request =
        request::build(&provider(&json!({})), &templated, None, at(0)).expect("a request");
    let body: Value = serde_json::from_str(&request.body.expect("a body")).expect("JSON");
    assert_eq!(
        (&body["template"], &body["fields"]["order"], &body["text"]),
        (&json!("order_shipped"), &json!(20_817), &Value::Null)
    );
}

#[test]
fn message_ids_are_read_from_responses() {
    let found = |pointer: &str, body: &str| {
        settings(&json!({"response": {"id_pointer": pointer}}))
            .expect("valid")
            .response
            .id(&HeaderMap::new(), body.as_bytes())
    };
    assert_eq!(
        found(
            "/result/message_id",
            r#"{"ok":true,"result":{"message_id":42}}"#
        )
        .as_deref(),
        Some("42")
    );
    assert_eq!(found("/sid", r#"{"sid":"SM1"}"#).as_deref(), Some("SM1"));
    assert_eq!(found("/sid", "<html>"), None);
    assert_eq!(
        found("/sid", &format!(r#"{{"sid":"{}"}}"#, "x".repeat(256))),
        None
    );
    let latin1 = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=iso-8859-1"),
    )]);
    assert_eq!(
        settings(&json!({"response": {"id_pointer": "/sid"}}))
            .expect("valid")
            .response
            .id(&latin1, b"{\"sid\":\"SM1\",\"to\":\"Jos\xe9\"}")
            .as_deref(),
        Some("SM1")
    );
    assert_eq!(
        settings(&json!({}))
            .expect("valid")
            .response
            .id(&HeaderMap::new(), br#"{"sid":"SM1"}"#),
        None
    );
}
