//! Texts that stand for codes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::coder::Leniency;
use crate::probe::Probe;

/// Finds the code of a category.
pub(crate) struct Lookup {
    probe: Probe,
    texts: Vec<Box<[u8]>>,
    /// Made when the first field is not met exactly.
    loose: Option<Loose>,
}

/// Finds what is not met exactly. `None` where several texts are alike: then none is meant.
struct Loose {
    numbers: HashMap<Box<[u8]>, Option<u32>>,
    folded: HashMap<String, Option<u32>>,
}

impl Lookup {
    pub(crate) fn new(texts: &[String]) -> Self {
        let texts: Vec<Box<[u8]>> = texts.iter().map(|text| text.as_bytes().into()).collect();
        let mut probe = Probe::with_capacity(texts.len());
        for (i, text) in (0u32..).zip(&texts) {
            // Declared categories differ, so that nothing has to be compared.
            probe.find_or_insert(mix(text), i, |_| false);
        }
        Self {
            probe,
            texts,
            loose: None,
        }
    }

    /// Whether one of the texts has nothing but white space.
    pub(crate) fn has_blank_texts(&self) -> bool {
        let is_blank = |text: &[u8]| str::from_utf8(text).is_ok_and(|text| text.trim().is_empty());
        self.texts.iter().any(|text| is_blank(text))
    }

    #[inline]
    pub(crate) fn find(&self, field: &[u8]) -> Option<u32> {
        self.probe
            .find(mix(field), |i| *self.texts[i as usize] == *field)
    }
}

impl Lookup {
    /// Finds the text that is meant by a field without spaces around it: itself, else the same
    /// number, else the same in another letter case.
    pub(crate) fn find_leniently(&mut self, field: &[u8]) -> Option<(u32, Leniency)> {
        if let Some(code) = self.find(field) {
            return Some((code, Leniency::Trimmed));
        }
        let texts = &self.texts;
        let loose = self.loose.get_or_insert_with(|| Loose::new(texts));
        let number = canonical_number(field).and_then(|number| loose.numbers.get(number));
        if let Some(Some(code)) = number {
            return Some((*code, Leniency::AsNumber));
        }
        let folded = str::from_utf8(field).ok()?.to_lowercase();
        let code = (*loose.folded.get(&folded)?)?;
        Some((code, Leniency::OtherCase))
    }
}

impl Loose {
    fn new(texts: &[Box<[u8]>]) -> Self {
        let mut loose = Self {
            numbers: HashMap::new(),
            folded: HashMap::new(),
        };
        for (code, text) in (0..).zip(texts) {
            if let Some(number) = canonical_number(text) {
                add(&mut loose.numbers, number.into(), code);
            }
            if let Ok(text) = str::from_utf8(text) {
                add(&mut loose.folded, text.trim().to_lowercase(), code);
            }
        }
        loose
    }
}

fn add<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Option<u32>>, key: K, code: u32) {
    match map.entry(key) {
        Entry::Vacant(place) => {
            place.insert(Some(code));
        }
        Entry::Occupied(mut place) => {
            place.insert(None);
        }
    }
}

/// A plain number without zeros at its end: of `1.0`, `1`. What begins with a zero, or has an
/// exponent, is an identifier more often than a number, and not one here.
fn canonical_number(text: &[u8]) -> Option<&[u8]> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, decimals) = match point {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let all_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if !all_digits(whole) || whole.len() > 1 && whole[0] == b'0' {
        return None;
    }
    let Some(decimals) = decimals else {
        return Some(text);
    };
    let zeros = decimals.iter().rev().take_while(|byte| **byte == b'0');
    let left = match decimals.len() - zeros.count() {
        // Without the point as well.
        0 => text.len() - decimals.len() - 1,
        kept => text.len() - (decimals.len() - kept),
    };
    all_digits(decimals).then(|| &text[..left])
}

/// A quick hash of length, head and tail. Declared categories are chosen by people, not against us;
/// those alike in all three only cost a comparison each.
#[inline]
fn mix(text: &[u8]) -> u64 {
    let (head, tail) = if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
    } else if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        (
            u64::from(u32::from_le_bytes(*head)),
            u64::from(u32::from_le_bytes(*tail)),
        )
    } else {
        match *text {
            [] => (0, 0),
            [a] => (u64::from(a), 0),
            [a, b] => (u64::from(a), u64::from(b)),
            [a, b, c, ..] => (u64::from(a) | u64::from(b) << 8, u64::from(c)),
        }
    };
    // Two rounds of multiply and shift: the places of a table are taken from the highest bits,
    // which must depend on all.
    let mut hash = (head ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash = (hash ^ (hash >> 32) ^ tail ^ (text.len() as u64) << 56)
        .wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_alike_without_their_last_zeros() {
        for (text, number) in [
            ("1", Some("1")),
            ("1.0", Some("1")),
            ("-2.50", Some("-2.5")),
            ("0", Some("0")),
            ("0.00", Some("0")),
            ("100", Some("100")),
            ("01", None),
            ("00.5", None),
            ("1e3", None),
            ("1.", None),
            (".5", None),
            ("1.x", None),
            ("", None),
            ("-", None),
        ] {
            let expected = number.map(str::as_bytes);
            assert_eq!(canonical_number(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_several_texts_could_be_is_none_of_them() {
        let texts = ["Ja", "JA", "nein", "1", "1.0", "2"].map(str::to_owned);
        let mut lookup = Lookup::new(&texts);
        let mut find = |field: &str| {
            lookup
                .find_leniently(field.as_bytes())
                .map(|(code, _)| code)
        };
        assert_eq!(find("ja"), None);
        assert_eq!(find("JA"), Some(1));
        assert_eq!(find("NEIN"), Some(2));
        assert_eq!(find("1.00"), None);
        assert_eq!(find("2.0"), Some(5));
        assert_eq!(find("02"), None);
    }

    #[test]
    fn an_empty_field_may_mean_a_text_of_blanks() {
        for (text, meant) in [
            (" ", Some(0)),
            ("", Some(0)),
            ("\u{a0}", Some(0)),
            ("a", None),
        ] {
            let mut lookup = Lookup::new(&[text.to_owned()]);
            assert_eq!(lookup.has_blank_texts(), meant.is_some(), "{text:?}");
            assert_eq!(lookup.find_leniently(b"").map(|it| it.0), meant, "{text:?}");
        }
    }

    #[test]
    fn many_similar_categories_are_told_apart() {
        let texts: Vec<String> = (0..5_000)
            .map(|i| format!("the same head {i} the same tail"))
            .collect();
        let lookup = Lookup::new(&texts);
        for (i, text) in (0u32..).zip(&texts) {
            assert_eq!(lookup.find(text.as_bytes()), Some(i));
        }
        assert_eq!(lookup.find(b"the same head 5000 the same tail"), None);
        let texts: Vec<String> = (0..64u8).map(|i| "a".repeat(usize::from(i))).collect();
        let lookup = Lookup::new(&texts);
        assert!(
            (0u32..)
                .zip(&texts)
                .all(|(i, text)| lookup.find(text.as_bytes()) == Some(i))
        );
    }
}
