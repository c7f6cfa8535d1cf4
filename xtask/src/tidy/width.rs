//! Lines of code, comments and documents end at 100 characters.

const WIDTH: usize = 100;

/// One sentence for each line that is too wide.
///
/// Left out is what cannot be broken without changing it: texts in raw strings, code and output in
/// documents, tables, and lines that are one long word.
pub(super) fn too_wide(path: &str, text: &str) -> Vec<String> {
    let fixed: fn(&str) -> Vec<bool> = match path.rsplit_once('.') {
        Some((_, "rs")) => in_raw_strings,
        Some((_, "md")) if !path.starts_with("docs/src/reference/") => in_code,
        _ => return Vec::new(),
    };
    let wide = |&(line, fixed): &(&str, bool)| {
        !fixed && line.chars().count() > WIDTH && !is_one_word(line)
    };
    let numbered = text.lines().zip(fixed(text)).zip(1..);
    let wide = numbered.filter(|(line, _)| wide(line));
    wide.map(|((line, _), number)| {
        let characters = line.chars().count();
        format!("{path}:{number}: {characters} characters, and lines end at {WIDTH}")
    })
    .collect()
}

/// Whether the line is an address, a key or a digest, with at most a few words around it. Code is
/// not: a call without spaces can be broken.
fn is_one_word(line: &str) -> bool {
    const REST: usize = 40;
    let by_length = |word: &&str| word.chars().count();
    let longest = line.split_whitespace().max_by_key(by_length);
    let Some(longest) = longest.filter(|word| by_length(word) > WIDTH / 2) else {
        return false;
    };
    let is_address = longest.contains("://") || longest.contains("](");
    // Of a key in base64, a digest in hexadecimal, or a path: no brackets that code would have.
    let in_word = |c: char| c.is_ascii_alphanumeric() || "+/=_-.\"';,:&%".contains(c);
    let is_text = longest.chars().all(in_word) && !longest.contains("::");
    (is_address || is_text) && by_length(&line.trim()) <= by_length(&longest) + REST
}

/// For each line of Rust whether it begins or goes on within a raw string.
fn in_raw_strings(text: &str) -> Vec<bool> {
    let mut closing: Option<String> = None;
    let line = |line: &str| {
        let was_open = closing.is_some();
        let mut rest = line;
        let mut opened = false;
        loop {
            match &closing {
                Some(end) => match rest.split_once(end.as_str()) {
                    Some((_, after)) => (rest, closing) = (after, None),
                    None => break,
                },
                None => match opening(rest) {
                    Some((after, end)) => {
                        (rest, closing, opened) = (after, Some(end), true);
                    }
                    None => break,
                },
            }
        }
        was_open || opened
    };
    text.lines().map(line).collect()
}

/// The text after the next `r#"`, and what ends it.
fn opening(line: &str) -> Option<(&str, String)> {
    // Not within a word: `separator"` ends an ordinary string.
    let begins = |&(at, _): &(usize, &str)| {
        let before = line[..at].trim_end_matches('b');
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    let mut starts = line.match_indices('r').filter(|(at, _)| {
        let rest = &line[at + 1..];
        rest.starts_with('#') || rest.starts_with('"')
    });
    let (start, _) = starts.find(begins)?;
    let rest = &line[start + 1..];
    let hashes = rest.chars().take_while(|&c| c == '#').count();
    match rest[hashes..].strip_prefix('"') {
        Some(after) => Some((after, format!("\"{}", "#".repeat(hashes)))),
        None => opening(rest),
    }
}

/// For each line of Markdown whether it is code, output, or of a table.
fn in_code(text: &str) -> Vec<bool> {
    let mut fenced = false;
    let line = |line: &str| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        let is_table = line.trim_start().starts_with('|');
        fenced || is_fence || is_table || line.starts_with("    ")
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(path: &str, line: &str) -> bool {
        !too_wide(path, line).is_empty()
    }

    #[test]
    fn the_line_ends_at_100() {
        let line = |length: usize| "ab ".repeat(length.div_ceil(3))[..length].to_owned();
        for path in ["crates/x/src/lib.rs", "README.md"] {
            assert!(!wide(path, &line(100)));
            assert!(wide(path, &line(101)));
        }
        assert_eq!(
            too_wide("README.md", &format!("x\n{}\n", line(101))),
            ["README.md:2: 101 characters, and lines end at 100"]
        );
    }

    #[test]
    fn what_cannot_be_broken_may_be_wider() {
        let words = "ab ".repeat(40);
        let digest = format!("let digest = \"{}\";", "0f".repeat(48));
        assert!(!wide("a.rs", &digest));
        let address = format!("//! <https://example.org/{}>", "a/".repeat(50));
        assert!(!wide("a.rs", &address));
        assert!(!wide("a.rs", &format!("expect![r#\"{words}\n{words}\"#];")));
        assert!(wide("a.rs", &format!("let a = r#\"x\"#;\n{words}")));
        assert!(!wide("a.md", &format!("```text\n{words}\n```")));
        assert!(!wide("a.md", &format!("| {words} |")));
        assert!(wide("a.md", &format!("```text\n```\n{words}")));
        // Code without spaces can be broken, as an address cannot.
        let call = format!("let x = f({});", "g(h::i,".repeat(14));
        assert!(wide("a.rs", &call));
        assert!(wide(
            "a.rs",
            &format!("    {}::default();", "module::".repeat(13))
        ));
    }
}
