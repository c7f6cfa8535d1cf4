//! Commitments that a request names, to confirm nothing but what was seen.

use protocol::{Code, Digest, Problem};

/// Parties, by their places in the agreement, with the commitments to their tables that were seen;
/// empty where nothing was named.
pub(crate) type Seen = Vec<(usize, Digest)>;

/// Reads `Alice:HEX,Bob:HEX`: the party's name, a colon, and the digest of its commitment as
/// `/status` gives it.
///
/// # Errors
/// [`Code::BadParameter`] where the text has another form, names a party twice or one that there is
/// not, or does not name every party but the one who asks. That one may be named, too.
pub(crate) fn parse(text: &str, names: &[&str], asking: usize) -> Result<Seen, Problem> {
    let mut seen = Seen::new();
    for entry in text.split(',') {
        let (name, digest) = entry.split_once(':').ok_or_else(|| malformed(names))?;
        let place = names.iter().position(|known| *known == name);
        let place = place.ok_or_else(|| malformed(names))?;
        let digest = digest.parse().map_err(|_| malformed(names))?;
        // Twice with two digests could be read either way.
        if seen.iter().any(|(before, _)| *before == place) {
            return Err(malformed(names));
        }
        seen.push((place, digest));
    }
    seen.sort_unstable();
    let named = |place: &usize| seen.iter().any(|(named, _)| named == place);
    // Every other party, or none: naming some would look as if all had been checked.
    match (0..names.len()).find(|place| *place != asking && !named(place)) {
        None => Ok(seen),
        Some(missing) => {
            let detail = format!(
                "`commitments` does not name {}: it must name every other party's upload, or be \
                 left out.",
                names[missing]
            );
            Err(Problem::new(Code::BadParameter, detail))
        }
    }
}

fn malformed(names: &[&str]) -> Problem {
    let example: Vec<String> = names.iter().map(|name| format!("{name}:HEX")).collect();
    let detail = format!(
        "`commitments` must be written as {}, each party once, where HEX is its `commitment` in \
         /status.",
        example.join(",")
    );
    Problem::new(Code::BadParameter, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["Alice", "Bob", "Carl"];

    fn named(byte: u8) -> String {
        Digest::from_bytes([byte; 48]).to_string()
    }

    #[test]
    fn parties_and_digests_are_read_in_any_order() {
        let (bob, carl) = (named(1), named(2));
        let seen = parse(&format!("Carl:{carl},Bob:{bob}"), &NAMES, 0).unwrap();
        let expected = [(1, 1), (2, 2)];
        assert_eq!(
            seen,
            expected.map(|(place, byte)| (place, Digest::from_bytes([byte; 48])))
        );
        let with_own = format!("Alice:{bob},Bob:{bob},Carl:{carl}");
        assert_eq!(parse(&with_own, &NAMES, 0).unwrap().len(), 3);
    }

    #[test]
    fn what_is_malformed_unknown_twice_or_incomplete_is_refused() {
        let hex = named(1);
        for text in [
            String::new(),
            ",".to_owned(),
            hex.clone(),
            format!("Bob:{hex}"),
            format!("Alice:{hex},Bob:{hex}"),
            format!("Bob:{hex},Carl:"),
            format!("Bob:{hex},Carl:null"),
            format!("Bob:{hex},Carl:{}", &hex[1..]),
            format!("Bob:{hex},carl:{hex}"),
            format!("Bob:{hex},Bob:{hex},Carl:{hex}"),
            format!("Bob:{hex},Carl:{hex},"),
            format!("Bob:{hex}, Carl:{hex}"),
            format!("Bob:{hex},Carl:{hex},Dora:{hex}"),
        ] {
            let refused = parse(&text, &NAMES, 0).expect_err(&text);
            assert_eq!(refused.code, Code::BadParameter, "{text}");
        }
    }
}
