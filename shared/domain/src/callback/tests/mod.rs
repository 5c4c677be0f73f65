mod received;

use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{message::Status, validation::Source};

fn mapping(preset: &str, channel: Channel) -> Mapping {
    let mut preset: Value = serde_json::from_str(preset).expect("JSON");
    Mapping::parse(preset["callback"].take(), channel).expect("a mapping")
}

fn call(
    mapping: &Mapping,
    channel: Channel,
    kind: &str,
    url: &str,
    body: &[u8],
) -> Result<Vec<Result<Callback, NoReport>>, Unreadable> {
    let headers = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        HeaderValue::from_str(kind).expect("header"),
    )]);
    let reader = Reader {
        channel,
        mapping: Some(mapping.clone()),
        inbound: None,
    };
    let read = read(
        &reader,
        &inbound::Request {
            method: &Method::POST,
            url,
            headers: &headers,
            body,
        },
    )?;
    let reports = read.into_iter().map(|read| match read? {
        Received::Report(report) => Ok(report),
        Received::Message(message) => panic!("no inbound messages: {message:?}"),
    });
    Ok(reports.collect())
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/json";
const URL: &str = "https://hub.example.com/in/k";

fn theirs(id: &str, report: Report) -> Callback {
    Callback {
        id: Named::Theirs(id.to_owned()),
        report,
    }
}

fn status(status: Status, theirs: &str) -> Report {
    Report::Status {
        status,
        provider_status: theirs.to_owned(),
    }
}

#[test]
fn twilio_form_reports_are_parsed() {
    let sms = mapping(
        include_str!("../../../../../docs/providers/twilio-sms.json"),
        Channel::Sms,
    );
    let voice = mapping(
        include_str!("../../../../../docs/providers/twilio-voice.json"),
        Channel::Call,
    );
    for (mapping, channel, body, expected) in [
        (
            &sms,
            Channel::Sms,
            "SmsSid=SM1&SmsStatus=delivered&MessageStatus=delivered&To=%2B15555550100&MessageSid=SM1&AccountSid=AC1",
            Ok(theirs("SM1", status(Status::Delivered, "delivered"))),
        ),
        (
            &sms,
            Channel::Sms,
            "MessageSid=SM1&MessageStatus=queued",
            Err(NoReport::Unmapped),
        ),
        (
            &sms,
            Channel::Sms,
            "MessageSid=SM1&MessageSid=SM2&MessageStatus=sent",
            Err(NoReport::NoId),
        ),
        (
            &sms,
            Channel::Sms,
            "MessageStatus=sent",
            Err(NoReport::NoId),
        ),
        (
            &voice,
            Channel::Call,
            "CallSid=CA1&CallStatus=no-answer",
            Ok(theirs("CA1", status(Status::Failed, "no-answer"))),
        ),
        (
            &voice,
            Channel::Call,
            "CallSid=CA1&CallStatus=ringing",
            Ok(theirs("CA1", status(Status::Ringing, "ringing"))),
        ),
        (
            &voice,
            Channel::Call,
            "CallSid=CA1&CallStatus=in-progress",
            Ok(theirs("CA1", status(Status::Answered, "in-progress"))),
        ),
        (
            &voice,
            Channel::Call,
            "CallSid=CA1&RecordingUrl=https%3A%2F%2Fapi.twilio.com%2Fr1&RecordingStatus=completed",
            Ok(theirs(
                "CA1",
                Report::Recording {
                    url: "https://api.twilio.com/r1".to_owned(),
                    status: None,
                },
            )),
        ),
        (
            &voice,
            Channel::Call,
            "CallSid=CA1&CallStatus=completed&RecordingUrl=u",
            Ok(theirs(
                "CA1",
                Report::Recording {
                    url: "u".to_owned(),
                    status: Some((Status::Completed, "completed".to_owned())),
                },
            )),
        ),
        (
            &voice,
            Channel::Call,
            "CallSid=CA1&Digits=1",
            Ok(theirs(
                "CA1",
                Report::Event(json!({"CallSid": "CA1", "Digits": "1"})),
            )),
        ),
    ] {
        assert_eq!(
            call(mapping, channel, FORM, URL, body.as_bytes()),
            Ok(vec![expected]),
            "{body}"
        );
    }
    let by_query = call(
        &sms,
        Channel::Sms,
        FORM,
        &format!("{URL}?MessageSid=SM1&MessageStatus=sent"),
        b"",
    );
    assert_eq!(
        by_query,
        Ok(vec![Ok(theirs("SM1", status(Status::Sent, "sent")))])
    );
}

#[test]
fn sendgrid_array_reports_are_parsed() {
    let mapping = mapping(
        include_str!("../../../../../docs/providers/sendgrid.json"),
        Channel::Email,
    );
    let id = MessageRef::new(Channel::Email, jiff::Timestamp::UNIX_EPOCH, 5);
    let body = json!([
        {"email": "a@example.com", "event": "delivered", "sg_message_id": "14c5d75ce93.filter0001", "tieline_id": id},
        {"email": "a@example.com", "event": "open", "tieline_id": id},
        {"email": "a@example.com", "event": "bounce"},
        7,
    ]);
    assert_eq!(
        call(
            &mapping,
            Channel::Email,
            JSON,
            URL,
            body.to_string().as_bytes()
        )
        .expect("reports"),
        [
            Ok(Callback {
                id: Named::Ours(id),
                report: status(Status::Delivered, "delivered")
            }),
            Err(NoReport::Unmapped),
            Err(NoReport::NoId),
            Err(NoReport::NotAnObject),
        ]
    );
    let odd = format!(
        "\u{feff}{{\"tieline_id\": \"{id}\", \"event\": \"delivered\", \"text\": \"\\ud83d\", \"n\": 1e400}}"
    );
    let read = call(&mapping, Channel::Email, JSON, URL, odd.as_bytes()).expect("a report");
    assert_eq!(
        read,
        [Ok(Callback {
            id: Named::Ours(id),
            report: status(Status::Delivered, "delivered")
        })]
    );
    for (kind, body, why) in [
        (JSON, "\"text\"", Unreadable::Form),
        (JSON, "{", Unreadable::Form),
        ("text/plain", "delivered", Unreadable::Form),
        (
            JSON,
            &format!("[{}0]", "0,".repeat(1_000)),
            Unreadable::TooMany,
        ),
    ] {
        assert_eq!(
            call(&mapping, Channel::Email, kind, URL, body.as_bytes()),
            Err(why)
        );
    }
}

#[test]
fn report_with_undecodable_or_deep_fields_has_id_and_status() {
    let sms = mapping(
        include_str!("../../../../../docs/providers/twilio-sms.json"),
        Channel::Sms,
    );
    let delivered = theirs("SM1", status(Status::Delivered, "delivered"));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let json =
        format!("{{\"MessageSid\": \"SM1\", \"MessageStatus\": \"delivered\", \"more\": {deep}}}");
    for (kind, body) in [
        (
            "application/x-www-form-urlencoded",
            &b"MessageSid=SM1&MessageStatus=delivered&Body=Jos%E9"[..],
        ),
        (
            "application/x-www-form-urlencoded",
            b"MessageSid=SM1&MessageStatus=delivered&Body=Jos\xe9",
        ),
        (FORM, b"MessageSid=SM1&MessageStatus=delivered&Body=%FF"),
        (JSON, json.as_bytes()),
    ] {
        assert_eq!(
            call(&sms, Channel::Sms, kind, URL, body),
            Ok(vec![Ok(delivered.clone())]),
            "{kind}"
        );
    }
    assert_eq!(
        call(&sms, Channel::Sms, FORM, URL, b"MessageSid=%FF"),
        Ok(vec![Err(NoReport::Unmapped)])
    );

    let voice = mapping(
        include_str!("../../../../../docs/providers/twilio-voice.json"),
        Channel::Call,
    );
    let json = json.replace("MessageSid", "CallSid").replace(' ', "");
    let event = theirs("SM1", Report::Event(json.as_str().into()));
    assert_eq!(
        call(&voice, Channel::Call, JSON, URL, json.as_bytes()),
        Ok(vec![Ok(event)]),
        "too deep for an event"
    );
}

#[test]
fn only_the_first_message_of_a_list_is_read() {
    let preset = include_str!("../../../../../docs/providers/infobip-sms.json");
    let preset: Value = serde_json::from_str(preset).expect("JSON");
    let inbound = InboundSettings::read(preset["inbound"].clone(), Source::Client);
    let inbound = inbound.expect("settings");
    for count in [1, 3] {
        let result = json!({"messageId": "1", "text": "Hi", "receivedAt": "2026-03-01T12:00:00Z"});
        let message = inbound.message(json!({"results": vec![result; count]}));
        assert_eq!(message.passed_over(), count - 1);
    }
}

#[test]
fn report_waits_15_minutes_for_its_message() {
    let received_at = jiff::Timestamp::UNIX_EPOCH;
    let callback = Callback {
        id: Named::Theirs("SM1".to_owned()),
        report: status(Status::Sent, "sent"),
    };
    let notice = CallbackReport {
        callback,
        provider: ProviderId::new(received_at, 1),
        received_at,
        hops: 0,
    };
    let text = serde_json::to_string(&notice).expect("JSON");
    assert!(
        text.starts_with("{\"callback\":")
            && serde_json::from_str::<CallbackReport>(&text).expect("a notice") == notice
    );
    let mut delays = Vec::new();
    let mut now = received_at;
    while let Some(delay) = notice.wait(now) {
        delays.push(delay);
        now += SignedDuration::from_secs(delay.into());
    }
    assert_eq!(delays, [5, 5, 10, 20, 40, 80, 160, 300, 280]);
    assert_eq!(
        notice.wait(received_at - SignedDuration::from_secs(60)),
        Some(5)
    );
}

proptest! {
    #[test]
    fn read_accepts_any_request(
        kind in "(application/json|application/x-www-form-urlencoded|text/plain|)", url in "\\PC{0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..60), text in "(MessageSid=|MessageStatus=sent|&|[{]\"|[\\[\\]{}:,]|\\PC){0,20}",
    ) {
        let mapping = mapping(include_str!("../../../../../docs/providers/twilio-sms.json"), Channel::Sms);
        for body in [body.as_slice(), text.as_bytes()] {
            for channel in [Channel::Sms, Channel::Call] {
                let _ = call(&mapping, channel, &kind, &url, body);
            }
        }
    }
}
