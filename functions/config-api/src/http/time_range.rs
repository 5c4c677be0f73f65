//! Time ranges of lists.

use jiff::Timestamp;
use platform::{clock, table::pagination::TimeRange};

use super::query::{self, Query};
use crate::App;

/// Reads the time range from `since` and `until`. Default: the retention period.
pub fn time_range(app: &App, query: &mut Query) -> TimeRange {
    time_range_from(app, query, retention_start(app))
}

/// Like [`time_range`], with another default for `since`.
pub fn time_range_from(app: &App, query: &mut Query, since: Timestamp) -> TimeRange {
    TimeRange {
        since: query
            .filter("since", query::time)
            .map_or(since, |since| since.max(earliest_time(app))),
        until: query
            .filter("until", query::time)
            .unwrap_or(Timestamp::MAX)
            .min(clock::now()),
    }
}

/// The start of the retention period. Older items have expired unless a late retry extended them.
pub fn retention_start(app: &App) -> Timestamp {
    clock::now()
        .checked_sub(app.table.retention())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The earliest time that scans accept. A retry extends its event and delivery by another retention
/// period.
pub fn earliest_time(app: &App) -> Timestamp {
    clock::now()
        .checked_sub(app.table.retention() * 2)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
