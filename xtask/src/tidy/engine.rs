//! What the engine must not touch, so that a fit depends on its arguments alone.

/// The crates that are the engine.
const ENGINE: [&str; 5] = ["marginals", "privacy", "schema", "synthesis", "tabular"];

/// What must not stand in their sources, and why.
const FORBIDDEN: [(&str, &str); 9] = [
    ("std::time", "a clock"),
    ("SystemTime", "a clock"),
    ("Instant", "a clock"),
    ("std::env", "the environment"),
    ("std::net", "the network"),
    ("tokio", "an asynchronous runtime"),
    ("async fn", "an asynchronous function"),
    ("thread_rng", "a global generator"),
    ("getrandom", "the operating system's entropy"),
];

/// Where it may stand all the same.
const EXCEPTIONS: [(&str, &str); 4] = [
    // The one place where noise begins, and rows that are drawn without a seed.
    ("crates/privacy/src/rng.rs", "getrandom"),
    ("crates/synthesis/src/sample.rs", "getrandom"),
    // A test that bounds how long a hostile file may take.
    ("crates/synthesis/src/file_attacks.rs", "std::time"),
    ("crates/synthesis/src/file_attacks.rs", "Instant"),
];

/// One sentence for each line of the engine that touches what it must not.
pub(super) fn forbidden(path: &str, text: &str) -> Vec<String> {
    if !is_of_the_engine(path) {
        return Vec::new();
    }
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for (line, number) in text.lines().map(code).zip(1..) {
        for (word, what) in FORBIDDEN {
            if line.contains(word) && !EXCEPTIONS.contains(&(path, word)) {
                found.push(format!(
                    "{path}:{number}: `{word}`: the engine does not use {what}"
                ));
            }
        }
    }
    found
}

fn is_of_the_engine(path: &str) -> bool {
    let rest = path.strip_prefix("crates/");
    let parts = rest.and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(name, rest)| {
        ENGINE.contains(&name) && rest.starts_with("src/") && rest.ends_with(".rs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_the_engine_is_found() {
        let clock = "fn now() {\n    std::time::SystemTime::now();\n}\n";
        assert_eq!(
            forbidden("crates/synthesis/src/run.rs", clock),
            [
                "crates/synthesis/src/run.rs:2: `std::time`: the engine does not use a clock",
                "crates/synthesis/src/run.rs:2: `SystemTime`: the engine does not use a clock"
            ]
        );
        for elsewhere in ["crates/host/src/main.rs", "crates/synthesis/tests/wide.rs"] {
            assert!(forbidden(elsewhere, clock).is_empty(), "{elsewhere}");
        }
    }

    #[test]
    fn entropy_comes_in_at_two_places() {
        let draw = "getrandom::fill(seed)?;\n";
        assert!(forbidden("crates/privacy/src/rng.rs", draw).is_empty());
        assert_eq!(forbidden("crates/privacy/src/ledger.rs", draw).len(), 1);
        let comment = "// `getrandom` fails where there is no entropy yet.\n";
        assert!(forbidden("crates/privacy/src/ledger.rs", comment).is_empty());
    }
}
