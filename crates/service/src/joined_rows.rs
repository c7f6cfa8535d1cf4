//! How many rows met, told to a party beside its own number.

use std::num::NonZeroU32;

use protocol::JoinedRows;
use synthesis::RowCount;

/// The model's noisy number of rows, for a party with so many rows of its own.
pub(crate) fn joined_rows(joined: RowCount, own: u64, rows_per_id: NonZeroU32) -> JoinedRows {
    let RowCount {
        estimate,
        between: [low, high],
        mostly_noise,
        ..
    } = joined;
    let surely = format!("(95 %: {low} to {high})");
    let in_words = match (rows_per_id.get(), mostly_noise) {
        // Noise can take the number beyond what there is.
        (1, false) => format!(
            "about {} of your {own} rows met {surely}",
            estimate.min(own)
        ),
        (1, true) if high < own => {
            format!("at most {high} of your {own} rows met, with 95 %; noise hides how many")
        }
        (1, true) => format!("noise hides how many of your {own} rows met"),
        // A row can meet several, so that what came of the join is no part of the party's own.
        (_, false) => {
            format!("about {estimate} rows came of the join {surely}; your table has {own}")
        }
        (_, true) => format!(
            "at most {high} rows came of the join, with 95 %, and noise hides how many; your table \
             has {own}"
        ),
    };
    JoinedRows {
        estimate,
        between: joined.between,
        in_words,
    }
}
