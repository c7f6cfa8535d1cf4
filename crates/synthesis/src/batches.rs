//! Tables that are in memory together.

use std::ops::Range;

/// Neighbouring items in groups of at most `most` cells together, or of one item.
pub(crate) fn batches(cells: &[usize], most: usize) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut together = 0_usize;
    for (i, &cells) in cells.iter().enumerate() {
        match batches.last_mut() {
            Some(batch) if together.saturating_add(cells) <= most => batch.end = i + 1,
            _ => {
                batches.push(i..i + 1);
                together = 0;
            }
        }
        together = together.saturating_add(cells);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_batch_and_no_batch_is_larger_than_memory() {
        assert_eq!(
            batches(&[3, 4, 3, 10, 1, 11, 2, 2], 10),
            [0..3, 3..4, 4..5, 5..6, 6..8]
        );
        assert!(batches(&[], 10).is_empty());
    }
}
