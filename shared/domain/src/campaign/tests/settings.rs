//! Settings of campaigns.

use super::*;

#[test]
fn campaign_round_trips() {
    let id = ProviderId::new(at(0), 1);
    let document = json!({"name": "Spring", "sms_provider_id": id, "email_provider_id": null, "description": "d"});
    let settings = Settings::parse(document.clone()).expect("valid");
    assert_eq!(Value::Object(settings.to_map()), document);
    let wrong = json!({"name": "", "sms_provider_id": "x", "email_provider_id": 1, "description": "", "x": 1});
    assert_eq!(
        pointers(Settings::parse(wrong).expect_err("invalid")),
        [
            "/name",
            "/sms_provider_id",
            "/email_provider_id",
            "/description",
            "/x"
        ]
    );
    assert_eq!(settings.check(|_| Some(Channel::Sms)), Ok(()));
    for found in [None, Some(Channel::Email)] {
        assert_eq!(
            pointers(settings.check(|_| found).expect_err("invalid")),
            ["/sms_provider_id"]
        );
    }
}
