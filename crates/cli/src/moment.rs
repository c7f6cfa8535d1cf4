//! Points in time, as a person gives and reads them.

use std::time::Duration;

use anyhow::Context;
use attestation::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exit::BadInput;

/// Reads a time such as `2022-10-13T09:00:00Z` (RFC 3339), to the second.
pub(crate) fn parse(text: &str) -> anyhow::Result<UnixTime> {
    let seconds = OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        // Before 1970 there is no evidence to be judged.
        .and_then(|time| u64::try_from(time.unix_timestamp()).ok())
        .with_context(|| {
            BadInput(format!(
                "`{text}` is not a time; write it like 2022-10-13T09:00:00Z"
            ))
        })?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// Writes a time as [`parse`] reads it.
pub(crate) fn format(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{} s after 1970", time.as_secs()))
}
