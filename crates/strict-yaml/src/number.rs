//! Numbers that readers of YAML understand differently.

/// Returns how an unquoted scalar is understood differently by readers of YAML, if it is: by those
/// of version 1.1 (`030` is 24, `0b11` is 3, `1_000` is 1000, `12:30` is 750), by those of version
/// 1.2 (`0o30` is 24), and by people.
///
/// Numbers with an exponent or a sign, and words such as `yes`, are left to the type that is read:
/// as a text they are what was written, and no word is a boolean but `true` and `false`.
pub(crate) fn ambiguity(scalar: &str) -> Option<&'static str> {
    let unsigned = scalar.strip_prefix(['+', '-']).unwrap_or(scalar);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return Some("is infinite or not a number to some readers");
    }
    if has_radix(unsigned) {
        return Some("is a number to another base to some readers");
    }
    if is_sexagesimal(unsigned) {
        return Some("is a number to the base 60 to some readers");
    }
    if !is_decimal(unsigned) {
        return None;
    }
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if unsigned.contains('_') {
        Some("has underscores, which only some readers skip")
    } else if digits > 1 && unsigned.starts_with('0') {
        Some("has leading zeros, which make it octal to some readers")
    } else {
        None
    }
}

/// Whether a reader who does not look at how a scalar is written could take it for a number or a
/// boolean.
pub(crate) fn looks_like_one(text: &str) -> bool {
    let boolean = ["true", "false"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    boolean || ambiguity(text).is_some() || text.parse::<f64>().is_ok()
}

/// `0x1F`, `0o17`, `0b11`, in either case of letters.
fn has_radix(text: &str) -> bool {
    let digits = |prefix: [&str; 2], radix| {
        let rest = prefix.iter().find_map(|prefix| text.strip_prefix(prefix));
        rest.is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c == '_' || c.is_digit(radix))
        })
    };
    digits(["0x", "0X"], 16) || digits(["0o", "0O"], 8) || digits(["0b", "0B"], 2)
}

/// `190:20:30`, as YAML 1.1 writes numbers to the base 60: each part but the first is below 60.
fn is_sexagesimal(text: &str) -> bool {
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => whole,
        Some(_) => return false,
        None => text,
    };
    let mut parts = whole.split(':');
    let first = parts
        .next()
        .is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()) && is_digits(part));
    let rest: Vec<&str> = parts.collect();
    let below_60 =
        |part: &&str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    first && !rest.is_empty() && rest.iter().all(below_60)
}

/// A number as people write it, perhaps with underscores: `12`, `1_000.5`, `3e-4`.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    whole.starts_with(|c: char| c.is_ascii_digit())
        && is_digits(whole)
        && is_digits(fraction)
        && !exponent.is_empty()
        && exponent.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_digits(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b'_' || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::ambiguity;

    #[test]
    fn numbers_that_readers_understand_differently_are_found() {
        for scalar in [
            "030",
            "0755",
            "-007",
            "+00",
            "08",
            "007.5",
            "01e3",
            "0o30",
            "0O17",
            "0x10",
            "0XfF",
            "-0x1",
            "0b101",
            "0xFF_FF",
            "1_000",
            "18_25",
            "1_0.5",
            "1_0e3",
            "2020_01",
            ".inf",
            "-.inf",
            "+.INF",
            ".nan",
            ".NaN",
            "12:30",
            "9:05",
            "190:20:30",
            "-1:30",
            "1:30.5",
        ] {
            assert!(ambiguity(scalar).is_some(), "{scalar}");
        }
    }

    #[test]
    fn ordinary_numbers_and_texts_are_not() {
        for scalar in [
            "0",
            "3",
            "-1",
            "+5",
            "0.5",
            ".5",
            "5.",
            "1e3",
            "1e-9",
            "3.0E+2",
            "1E6",
            "100",
            "-0.1",
            "2015-01-01",
            "2026-01-01T00:00",
            "01-02-2015",
            "0..14",
            "15..",
            "yes",
            "null",
            "~",
            "",
            "0xyz",
            "0o9",
            "x0",
            "a_1",
            "_1",
            "12:60",
            "12:345",
            "1:a",
            "12:",
            ":30",
            "a:30",
            "1.2.3",
            "MIIBCgKCAQEAsNo",
            "1e",
            "0e",
            "18-25",
            "inf",
            "nan",
            "127.0.0.1:80",
        ] {
            assert_eq!(ambiguity(scalar), None, "{scalar}");
        }
    }
}
