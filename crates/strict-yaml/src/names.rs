//! Names as people mistype them.

/// Returns the known name that was probably meant: at most an edit for each three letters away (one
/// for shorter names), letter case aside.
///
/// Of names longer than 64 characters, and beyond the first 10,000 known ones, nothing is
/// suggested: comparing two names takes time in proportion to the product of their lengths, and
/// both may come from a stranger's file.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const MOST_CHARS: usize = 64;
    const MOST_KNOWN: usize = 10_000;
    // Counted only as far as it matters: the name may be very long.
    let length = name.chars().take(MOST_CHARS + 1).count();
    if length > MOST_CHARS {
        return None;
    }
    let name = name.to_lowercase();
    // A name within a third of the longer one's letters differs by half of the shorter's at most.
    let allowed = (length / 2).max(1);
    known
        .into_iter()
        .take(MOST_KNOWN)
        .filter(|known| known.chars().take(2 * MOST_CHARS).count().abs_diff(length) <= allowed)
        .map(|known| {
            (
                strsim::damerau_levenshtein(&name, &known.to_lowercase()),
                known,
            )
        })
        .filter(|(distance, known)| {
            let longer = length.max(known.chars().count());
            *distance <= (longer / 3).max(1) && *distance < length
        })
        // A name that was begun and not ended is nearer than another of as many edits.
        .min_by_key(|(distance, known)| (*distance, !known.to_lowercase().starts_with(&name)))
        .map(|(_, known)| known)
}

/// Returns the names as `` `a`, `b` and `c` ``.
pub fn quoted_list<S: AsRef<str>>(names: &[S]) -> String {
    let mut list = String::new();
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            list.push_str(if i + 1 == names.len() { " and " } else { ", " });
        }
        list.push('`');
        list.push_str(name.as_ref());
        list.push('`');
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["categories", "integer", "number", "date"];
        assert_eq!(nearest("catgories", known), Some("categories"));
        assert_eq!(nearest("Integer", known), Some("integer"));
        assert_eq!(nearest("bin", ["min", "max", "bins"]), Some("bins"));
        assert_eq!(nearest("dte", known), Some("date"));
        assert_eq!(nearest("zip", known), None);
        assert_eq!(nearest("", known), None);
        let long = "x".repeat(1 << 20);
        assert_eq!(nearest(&long, [long.as_str()]), None);
        assert_eq!(nearest("x", [long.as_str()]), None);
        assert_eq!(nearest("DELTA", ["epsilon", "delta"]), Some("delta"));
        assert_eq!(nearest("rows", ["epsilon", "delta"]), None);
        assert_eq!(nearest("Zoe", ["Alice", "Bob"]), None);
    }

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(quoted_list(&["a"]), "`a`");
        assert_eq!(quoted_list(&["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
