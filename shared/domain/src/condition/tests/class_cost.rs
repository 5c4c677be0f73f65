use regex_syntax::ast::{parse::Parser, visit};

use crate::condition::class_cost::ClassCost;

#[test]
fn classes_cost_their_characters_and_depth() {
    const ALL: usize = 0x11_0000;
    for (text, steps) in [
        ("a", 0),
        (r"\w", 5_000),
        (r"\pL", 5_000),
        (r"(?i)\w", 5_000),
        (r"(?i)\pL", 5_000 + 3 * ALL),
        (r"[\w\pL[:alpha:]a-z]", 10_000),
        (r"(?i)[\w]", 5_000 + 3 * 50_000),
        (r"(?i)[\d]", 5_000 + 3 * 1_000),
        (r"(?i)[\s]", 5_000 + 3 * 1_000),
        (r"(?i)[\S]", 5_000 + 3 * ALL),
        (r"(?i)[\pL]", 5_000 + 3 * ALL),
        ("(?i)[[:alpha:]]", 3 * 128),
        ("(?i)[[:^alpha:]]", 3 * ALL),
        ("(?i)[a-z]", 3 * 25),
        ("(?i:[a-z])", 3 * 25),
        ("(?i)(?-i)[a-z]", 3 * 25),
        ("(?s-i)[a-z](?m:[a-z])([a-z])", 0),
        // What follows a class, or is in it, costs once for each class around it.
        (r"(?i)[\d]\w", 8_000 + 5_000),
        (r"[[\d[\d]]\d]\d", 10_000 + 15_000 + 5_000 + 5_000),
        ("(?i)[[^a]b-c]", 5_000 + 3 * ALL + 3),
        (r"(?i)[\d&&\d]\d", 2 * 8_000 + 2 * 8_000 + 5_000),
    ] {
        let ast = Parser::new().parse(text).expect(text);
        let Ok(cost) = visit(&ast, ClassCost::default());
        assert_eq!((cost.steps, cost.any.len()), (steps, 0), "{text}");
    }
}

#[test]
fn classes_of_any_character_are_found_and_free() {
    for (text, steps, any) in [
        (r"[\s\S]", 0, &[(0, 6)][..]),
        (r"a[\D\d][\w\W]", 0, &[(1, 7), (7, 13)]),
        (r"[\s\S][\d]", 5_000, &[(0, 6)]),
        (r"[^\s\S]", 10_000, &[]),
        (r"[\s\D]", 10_000, &[]),
        (r"[\s\s]", 10_000, &[]),
        (r"[\s\S\d]", 15_000, &[]),
        (r"[\s]", 5_000, &[]),
    ] {
        let ast = Parser::new().parse(text).expect(text);
        let Ok(cost) = visit(&ast, ClassCost::default());
        let spans: Vec<_> = (cost.any.iter())
            .map(|span| (span.start.offset, span.end.offset))
            .collect();
        assert_eq!((cost.steps, spans.as_slice()), (steps, any), "{text}");
    }
}
