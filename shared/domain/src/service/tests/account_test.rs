use jiff::Timestamp;

use super::*;
use crate::service::account_test::AccountTest;

const SERVICE: &str = "svc_01J0000000000000000000000A";

fn stored(authorization: &Value) -> Account {
    let document = json!({"name": "a", "authorization": authorization});
    let settings = account::Settings::parse(document, &AllowList::default()).expect("valid");
    Account::new(
        ACCOUNT.parse().expect("an id"),
        settings,
        Timestamp::UNIX_EPOCH,
    )
}

fn oauth2() -> Value {
    json!({
        "type": "oauth2", "grant_type": "client_credentials", "client_id": "c", "client_secret": "s",
        "token_url": "https://id.example.com/token",
    })
}

fn service(change: &Value) -> Service {
    Service::new(
        SERVICE.parse().expect("an id"),
        settings(change),
        Timestamp::UNIX_EPOCH,
    )
}

fn test(document: Value) -> AccountTest {
    AccountTest::parse(document).expect("valid")
}

#[test]
fn test_is_parsed() {
    for (document, expected) in [
        (json!([]), vec![""]),
        (json!({"path": "/a"}), vec!["/path"]),
        (json!({"service_id": null, "path": "/a"}), vec!["/path"]),
        (
            json!({"service_id": ACCOUNT, "path": 7}),
            vec!["/service_id", "/path"],
        ),
        (json!({"method": "POST"}), vec!["/method"]),
    ] {
        let problems = AccountTest::parse(document.clone()).expect_err("invalid");
        assert_eq!(pointers(problems), expected, "{document}");
    }
    assert!(test(json!({})).service_id.is_none());
    assert!(
        test(json!({"service_id": SERVICE, "path": null}))
            .service_id
            .is_some()
    );
}

#[test]
fn request_is_a_get_below_the_url_of_the_service() {
    let service = service(&json!({}));
    let header = json!({"type": "header", "name": "x-key", "value": "v"});
    for authorization in [oauth2(), header] {
        let account = stored(&authorization);
        for (document, url) in [
            (
                json!({"service_id": SERVICE}),
                "https://crm.example.com/api/",
            ),
            (
                json!({"service_id": SERVICE, "path": "/me?full=1"}),
                "https://crm.example.com/api/me?full=1",
            ),
        ] {
            let request = test(document).request(&account, Some(&service), 1);
            let request = request.expect("valid").expect("a request");
            assert_eq!(
                (request.method.as_str(), request.url.as_str()),
                ("GET", url)
            );
            assert_eq!(request.headers["tieline-hops"], "2");
            assert!(request.body.is_none());
        }
    }
}

#[test]
fn test_without_service_only_gets_a_token() {
    let request = test(json!({})).request(&stored(&oauth2()), None, 0);
    assert!(request.expect("valid").is_none());
}

#[test]
fn test_of_nothing_or_of_a_foreign_service_is_rejected() {
    let (none, header) = (
        json!({"type": "none"}),
        json!({"type": "header", "name": "x-key", "value": "v"}),
    );
    let of_service = json!({"service_id": SERVICE});
    let (ours, other) = (
        service(&json!({})),
        service(&json!({"account_id": NEW_ACCOUNT})),
    );
    for (authorization, document, service, expected) in [
        (&none, json!({}), None, ""),
        (&none, of_service.clone(), Some(&ours), ""),
        (&header, json!({}), None, "/service_id"),
        (&header, of_service.clone(), Some(&other), "/service_id"),
        (&oauth2(), of_service.clone(), Some(&other), "/service_id"),
        (&oauth2(), of_service, None, "/service_id"),
        (
            &oauth2(),
            json!({"service_id": SERVICE, "path": "../admin"}),
            Some(&ours),
            "/path",
        ),
    ] {
        let request = test(document.clone()).request(&stored(authorization), service, 0);
        assert_eq!(
            pointers(request.expect_err("invalid")),
            [expected],
            "{authorization} {document}"
        );
    }
}
