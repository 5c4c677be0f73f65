//! Limits on the cost of rendering.

use serde_json::json;

use super::*;

#[test]
fn rendering_stops_at_the_first_unfit_value() {
    let data = json!({"big": {"a": "x".repeat(300_000)}, "nl": "\n", "dot": "."});
    for text in [
        "https://h.example/{big}/{gone}/{dot}",
        "https://h.example/{big}{gone}{dot}",
        "https://h.example?{big}{gone}",
    ] {
        let template = UrlTemplate::parse(text).expect(text);
        let (rendered, missing) = with(&data, |scope, missing| template.render(scope, missing));
        assert_eq!(
            (rendered, missing),
            (Err(unfit("big", Reason::TooLong)), vec![]),
            "{text}"
        );
        let (shown, wrong) = with(&data, |scope, _| template.render_masked(scope)).0;
        assert_eq!(
            (shown.contains("gone"), wrong),
            (false, Some(unfit("big", Reason::TooLong))),
            "{text}"
        );
    }
    let header = HeaderTemplate::parse("{big}{nl}{gone}").expect("header");
    let (rendered, missing) = with(&data, |scope, missing| header.render(scope, missing));
    assert_eq!(
        (rendered, missing),
        (Err(unfit("big", Reason::TooLong)), vec![])
    );
    let shown = with(&data, |scope, _| header.render_masked("x-up", scope)).0;
    assert_eq!(shown, Err(unfit("big", Reason::TooLong)));
    let body = BodyTemplate::parse(Format::Form, &format!("{}&{{gone}}", "{big}".repeat(10)))
        .expect("body");
    let (rendered, missing) = with(&data, |scope, missing| {
        body.render(scope, Audience::Receiver, missing)
    });
    assert_eq!(
        (rendered, missing),
        (Err(unfit("big", Reason::TooLong)), vec![])
    );
}

#[test]
fn limits_are_inclusive() {
    let data = |length: usize| json!({"x": "x".repeat(length)});
    let unfit = || unfit("x", Reason::TooLong);
    let rendered = [2_097_150, 2_097_151]
        .map(|length| body(Format::Json, "\"{x}\"", &data(length)).map(|body| body.len()));
    assert_eq!(rendered, [Ok(2_097_152), Err(unfit())]);
    let rendered = [7_982, 7_983]
        .map(|length| url("https://h.example/{x}", &data(length)).map(|url| url.len()));
    assert_eq!(rendered, [Ok(8_000), Err(unfit())]);
    // The secret has 8 bytes and its mask 9.
    let header = HeaderTemplate::parse("{secret.t}{x}").expect("header");
    let rendered = [4_087, 4_088, 4_089].map(|length| {
        with(&data(length), |scope, missing| {
            [
                header.render(scope, missing),
                header.render_masked("x-up", scope),
            ]
            .map(|text| text.map(|text| text.len()))
        })
        .0
    });
    assert_eq!(
        rendered,
        [
            [Ok(4_095), Ok(4_096)],
            [Ok(4_096), Err(unfit())],
            [Err(unfit()), Err(unfit())]
        ]
    );
    let parsed =
        [32_768, 32_769].map(|length| BodyTemplate::parse(Format::Form, &"x".repeat(length)).err());
    assert_eq!(parsed, [None, Some(TemplateError::TooLong(32_768))]);
    let parsed = [7_982, 7_983].map(|length| {
        UrlTemplate::parse(&format!("https://h.example/{}", "x".repeat(length))).err()
    });
    assert_eq!(parsed, [None, Some(TemplateError::TooLong(8_000))]);
}
