//! Epsilon and delta in words, rounded against us.

use crate::guarantee::Neighbours;

/// Says what (epsilon, delta)-differential privacy for these neighbours means for one person, as a
/// whole sentence: "Whether anybody is in the data changes the odds of anything that is seen by at
/// most a factor of 20.1 (e^3), except with probability 1 in 1,000,000,000." Factor and probability
/// are rounded against us.
#[must_use]
pub fn odds(neighbours: Neighbours, epsilon: f64, delta: f64) -> String {
    let change = match neighbours {
        Neighbours::AddRemove => "Whether anybody is in the data changes the odds",
        Neighbours::ReplaceOne => {
            "Changing everything about somebody who is in the data changes the odds"
        }
    };
    let factor = factor(epsilon);
    let exponent = short(epsilon);
    let sentence =
        format!("{change} of anything that is seen by at most a factor of {factor} (e^{exponent})");
    // Where nothing was spent there is no exception either.
    if delta > 0.0 {
        format!("{sentence}, except with probability {}.", chance(delta))
    } else {
        sentence + "."
    }
}

/// e^epsilon to three significant digits, rounded up; as a power of ten from a million on.
fn factor(epsilon: f64) -> String {
    const MILLION: f64 = 1e6;
    let factor = epsilon.exp();
    if factor < 1_000.0 {
        let (decimals, scale) = match factor {
            factor if factor < 10.0 => (2, 100.0),
            factor if factor < 100.0 => (1, 10.0),
            _ => (0, 1.0),
        };
        return format!("{:.decimals$}", (factor * scale).ceil() / scale);
    }
    if factor < MILLION {
        return grouped(factor.ceil());
    }
    format!("10^{}", short((epsilon / std::f64::consts::LN_10).ceil()))
}

/// The number, unless it has very many digits.
fn short(value: f64) -> String {
    const MANY_DIGITS: f64 = 1e7;
    match value {
        value if value >= MANY_DIGITS => format!("{value:.1e}"),
        value => value.to_string(),
    }
}

/// "1 in N" with N rounded down; as a power of ten from 10^15 on.
fn chance(probability: f64) -> String {
    const LARGEST: f64 = 1e15;
    let one_in = probability.recip();
    // The reciprocal of 1e-9 and its like is a trace off.
    let nearest = one_in.round();
    let one_in = match (one_in / nearest - 1.0).abs() < 1e-12 {
        true => nearest,
        false => one_in.floor(),
    };
    if one_in < LARGEST {
        return format!("1 in {}", grouped(one_in.max(1.0)));
    }
    format!("1 in 10^{}", (-probability.log10() + 1e-9).floor())
}

/// A whole number with a comma before every three digits.
fn grouped(whole: f64) -> String {
    let digits = format!("{whole:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_who_and_how_far() {
        assert_eq!(
            odds(Neighbours::ReplaceOne, 6.372, 1e-9),
            "Changing everything about somebody who is in the data changes the odds of anything \
             that is seen by at most a factor of 586 (e^6.372), except with probability 1 in \
             1,000,000,000."
        );
        assert_eq!(
            odds(Neighbours::AddRemove, 0.0, 0.0),
            "Whether anybody is in the data changes the odds of anything that is seen by at most a \
             factor of 1.00 (e^0)."
        );
    }

    #[test]
    fn factors_are_rounded_up_and_stay_readable() {
        for (epsilon, expected) in [
            (0.01, "1.02"),
            (1.0, "2.72"),
            (3.0, "20.1"),
            (6.0, "404"),
            (10.0, "22,027"),
            (14.0, "10^7"),
            (1_000.0, "10^435"),
            (1e300, "10^4.3e299"),
        ] {
            assert_eq!(factor(epsilon), expected, "{epsilon}");
        }
    }

    #[test]
    fn chances_are_rounded_against_us() {
        for (probability, expected) in [
            (1e-9, "1 in 1,000,000,000"),
            (1e-5, "1 in 100,000"),
            (3e-9, "1 in 333,333,333"),
            (0.4, "1 in 2"),
            (0.99, "1 in 1"),
            (1e-30, "1 in 10^30"),
            (2e-30, "1 in 10^29"),
        ] {
            assert_eq!(chance(probability), expected, "{probability}");
        }
    }
}
