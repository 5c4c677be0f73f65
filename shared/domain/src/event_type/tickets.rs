//! The built-in event types of tickets.

use serde_json::{Value, json};

use super::Row;

pub(super) fn tickets() -> Vec<Row> {
    let ticket = |status: &str| {
        json!({
            "id": 7315,
            "parent_ticket_id": 7290,
            "subject": "Printer on floor 3 is out of order",
            "status": status,
            "priority": "urgent",
            "link_staff": "https://desk.example.com/staff/tickets/7315",
            "requester": {"id": 204, "name": "Jo Park", "email": "jo@example.com"},
            "last_reply": {"author": "end_user", "text": "It still shows error 12."},
        })
    };
    let changed = |mut ticket: Value, name: &str, value: Value| {
        ticket[name] = value;
        ticket
    };
    vec![
        ("ticket.created", "A ticket was created.", ticket("open")),
        (
            "ticket.updated",
            "Fields of a ticket were changed.",
            changed(ticket("open"), "changed_fields", json!(["priority"])),
        ),
        (
            "ticket.reply_added",
            "A reply was added to a ticket.",
            changed(
                ticket("open"),
                "reply",
                json!({"id": 90211, "internal": false, "text": "It still shows error 12."}),
            ),
        ),
        (
            "ticket.status_changed",
            "The status of a ticket was changed.",
            changed(ticket("resolved"), "previous_status", json!("open")),
        ),
        (
            "ticket.assigned",
            "A ticket was assigned to an agent or a team.",
            changed(
                ticket("open"),
                "assignee",
                json!({"id": 12, "name": "Sam Roth", "team": "Hardware"}),
            ),
        ),
        (
            "ticket.note_added",
            "An internal note was added to a ticket.",
            changed(
                ticket("open"),
                "note",
                json!({"id": 90214, "author": {"id": 12, "name": "Sam Roth"}, "text": "Ordered a new drum."}),
            ),
        ),
        (
            "ticket.requester_changed",
            "The requester of a ticket was changed.",
            changed(
                ticket("open"),
                "previous_requester",
                json!({"id": 198, "name": "Lee Chan", "email": "lee@example.com"}),
            ),
        ),
        (
            "ticket.sla_breached",
            "A ticket exceeded a target of its service level agreement.",
            changed(
                ticket("open"),
                "sla",
                json!({"target": "first_reply", "due_at": "2026-03-02T10:15:00Z"}),
            ),
        ),
        (
            "ticket.merged",
            "A ticket was merged into another one.",
            changed(ticket("closed"), "merged_into", json!(7290)),
        ),
        (
            "ticket.frozen",
            "A ticket was frozen until a reply or a date.",
            changed(
                ticket("frozen"),
                "frozen_until",
                json!("2026-03-05T08:00:00Z"),
            ),
        ),
        (
            "ticket.unfrozen",
            "A frozen ticket was reopened.",
            changed(ticket("open"), "reason", json!("reply")),
        ),
        (
            "ticket.mentioned",
            "A user was mentioned in a reply or note.",
            changed(
                ticket("open"),
                "mention",
                json!({"user": {"id": 12, "name": "Sam Roth"}, "text": "@sam can you look?"}),
            ),
        ),
        (
            "ticket.rated",
            "The requester rated a ticket.",
            changed(
                ticket("resolved"),
                "rating",
                json!({"score": 5, "comment": "Fast and friendly."}),
            ),
        ),
    ]
}
