//! The pages of paths and error codes, from the description that a room serves and from the list of
//! codes in `protocol`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::heading;
use crate::run;

const DESCRIPTION: &str = "crates/service/openapi.json";
const CODES: &str = "crates/protocol/src/problem.rs";

/// Columns of a line of prose in the pages.
const WIDTH: usize = 100;

/// The text before the codes in the description of an error.
const LIST: &str = "Codes: ";

/// The page of paths, and that of error codes.
pub(super) fn pages() -> anyhow::Result<(String, String)> {
    let description: Value = serde_json::from_str(&source(DESCRIPTION)?)?;
    let mut paths = heading("Paths", &format!("`{DESCRIPTION}`"));
    paths.push_str(
        "\nEvery path of a room. [The HTTP surface](http.md) says what holds for all of them, and \
         [error\n\
         codes](errors.md) what the codes mean.\n",
    );
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut operations = 0;
    let all = description["paths"].as_object().context("no paths")?;
    for (path, methods) in all {
        for (method, operation) in methods.as_object().context("no methods")? {
            operations += 1;
            let request = format!("{} {path}", method.to_uppercase());
            let codes = codes_of(operation)?;
            describe(&mut paths, &request, operation, &codes)?;
            for code in codes {
                uses.entry(code).or_default().push(request.clone());
            }
        }
    }
    Ok((paths, errors(&uses, operations)?))
}

fn describe(
    page: &mut String,
    request: &str,
    operation: &Value,
    codes: &[String],
) -> anyhow::Result<()> {
    let summary = text(&operation["summary"])?;
    let reply = text(&operation["responses"]["200"]["description"])?;
    let content = operation["responses"]["200"]["content"].as_object();
    let types: Vec<String> = content
        .into_iter()
        .flatten()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    write!(page, "\n## `{request}`\n\n{}\n\n", wrapped(summary, ""))?;
    let parameters = operation["parameters"].as_array();
    for parameter in parameters.into_iter().flatten() {
        let (name, meaning) = (text(&parameter["name"])?, text(&parameter["description"])?);
        writeln!(page, "{}", wrapped(&format!("- `{name}`: {meaning}"), "  "))?;
    }
    if parameters.is_some() {
        page.push('\n');
    }
    let reply = format!(
        "Reply: {} ({}).",
        reply.trim_end_matches('.'),
        types.join(", ")
    );
    let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let errors = format!("Errors: {}.", codes.join(", "));
    writeln!(page, "{}\n\n{}", wrapped(&reply, ""), wrapped(&errors, ""))?;
    Ok(())
}

/// Breaks a paragraph into lines of at most [`WIDTH`] columns; those after the first are indented.
fn wrapped(paragraph: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{indent}{word}"));
        } else {
            let line = lines.last_mut().expect("there is a first line");
            let space = if line.is_empty() { "" } else { " " };
            line.push_str(space);
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn codes_of(operation: &Value) -> anyhow::Result<Vec<String>> {
    let description = text(&operation["responses"]["default"]["description"])?;
    let (_, list) = description
        .split_once(LIST)
        .context("a path without its codes")?;
    Ok(list
        .trim_end_matches('.')
        .split(", ")
        .map(str::to_owned)
        .collect())
}

fn errors(uses: &BTreeMap<String, Vec<String>>, operations: usize) -> anyhow::Result<String> {
    let mut page = heading("Error codes", &format!("`{CODES}` and `{DESCRIPTION}`"));
    page.push_str(
        "\nEvery reply that is an error is JSON with a sentence for people (`detail`) and a code \
         for programs\n\
         (`code`). A code is never renamed and always comes with the same status. [What to do when \
         an upload is\n\
         refused](../how-to/refused-uploads.md) goes through those of uploads.\n\n\
         | code | status | meaning | where |\n|---|---|---|---|\n",
    );
    let codes = codes_in(&source(CODES)?)?;
    for code in &codes {
        let places = match uses.get(&code.slug) {
            Some(all) if all.len() == operations => "every path".to_owned(),
            Some(some) => some
                .iter()
                .map(|it| format!("`{it}`"))
                .collect::<Vec<_>>()
                .join(", "),
            None => "where no path fits".to_owned(),
        };
        writeln!(
            page,
            "| `{}` | {} | {} | {places} |",
            code.slug, code.status, code.meaning
        )?;
    }
    for slug in uses.keys() {
        let known = codes.iter().any(|code| code.slug == *slug);
        ensure!(
            known,
            "{DESCRIPTION} names the code {slug}, which {CODES} has not"
        );
    }
    Ok(page)
}

struct Code {
    slug: String,
    status: String,
    meaning: String,
}

/// Reads the lines of the macro `codes!`: a comment, then `Name = "slug", status;`.
fn codes_in(source: &str) -> anyhow::Result<Vec<Code>> {
    let (_, list) = source
        .split_once("\ncodes! {\n")
        .context("no list of codes")?;
    let (list, _) = list
        .split_once("\n}\n")
        .context("the list of codes has no end")?;
    let (mut codes, mut meaning) = (Vec::new(), Vec::new());
    for line in list.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            meaning.push(comment.trim());
            continue;
        }
        let entry = line
            .strip_suffix(';')
            .and_then(|entry| entry.split_once(" = "));
        let (_, value) = entry.with_context(|| format!("{CODES}: cannot read `{line}`"))?;
        let parts = value.split_once(", ").context("a code without a status")?;
        codes.push(Code {
            slug: parts.0.trim_matches('"').to_owned(),
            status: parts.1.to_owned(),
            meaning: meaning.join(" "),
        });
        meaning.clear();
    }
    Ok(codes)
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value
        .as_str()
        .context("a text is missing in the description of the paths")
}

fn source(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(run::root().join(path)).with_context(|| format!("could not read {path}"))
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, codes_in, wrapped};

    #[test]
    fn paragraphs_are_broken_between_words() {
        let words = vec!["word"; 50].join(" ");
        let text = wrapped(&words, "  ");
        assert!(text.lines().all(|line| line.len() <= WIDTH));
        assert!(text.lines().skip(1).all(|line| line.starts_with("  word")));
        assert_eq!(text.split_whitespace().count(), 50);
    }

    #[test]
    fn a_code_has_the_whole_comment_before_it() {
        let source = "x\ncodes! {\n    /// One,\n    /// and on.\n    A = \"a-b\", 400;\n    /// \
                      Two.\n    B = \"c\", 503;\n}\n";
        let codes = codes_in(source).unwrap();
        assert_eq!(codes.len(), 2);
        let first = &codes[0];
        assert_eq!(
            (&*first.slug, &*first.status, &*first.meaning),
            ("a-b", "400", "One, and on.")
        );
        assert!(codes_in("x\ncodes! {\n    A,\n}\n").is_err());
    }
}
