//! Links in the book and in the repository's other documents: each must lead to a file, and to a
//! heading in it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::run;

/// Folders whose Markdown files are checked, without those below them.
const DOCUMENTS: [&str; 3] = ["", "bench", "deploy"];
const BOOK: &str = "docs/src";

/// One sentence for each link that points nowhere, and for each page that the summary leaves out.
pub(super) fn broken() -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in DOCUMENTS {
        files.extend(markdown_in(&run::root().join(folder), false)?);
    }
    files.extend(markdown_in(&run::root().join(BOOK), true)?);
    let mut documents = HashMap::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        documents.insert(file, Document::parse(&text));
    }
    let mut broken: Vec<String> = documents
        .iter()
        .flat_map(|(file, document)| document.links.iter().map(move |link| (file, link)))
        .filter_map(|(file, link)| {
            Some(format!(
                "{}: {link}: {}",
                shown(file),
                fault(file, link, &documents)?
            ))
        })
        .collect();
    broken.extend(unlisted(&documents));
    broken.sort();
    Ok(broken)
}

/// What of a Markdown file matters here.
#[derive(Debug, Default)]
struct Document {
    links: Vec<String>,
    anchors: HashSet<String>,
}

impl Document {
    fn parse(text: &str) -> Self {
        let mut document = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.add(&heading.take().unwrap_or_default()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        document
    }

    /// Repeated headings get a number, as mdBook and GitHub give them.
    fn add(&mut self, heading: &str) {
        let anchor = anchor_of(heading);
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|it| !self.anchors.contains(it));
        self.anchors.extend(free);
    }
}

/// Lower case, hyphens for white space, and no signs.
fn anchor_of(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || matches!(c, '_' | '-') => Some(c),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

fn fault(file: &Path, link: &str, documents: &HashMap<PathBuf, Document>) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => file.to_path_buf(),
        path => normal(&file.parent()?.join(path)),
    };
    let book = run::root().join(BOOK);
    if !target.exists() {
        return Some("there is no such file");
    }
    if file.starts_with(&book) && !target.starts_with(&book) {
        return Some("the built book does not have this file; give its whole address");
    }
    match documents.get(&target) {
        Some(document) if !anchor.is_empty() && !document.anchors.contains(anchor) => {
            Some("there is no such heading")
        }
        _ => None,
    }
}

/// mdBook builds the pages of the summary only.
fn unlisted(documents: &HashMap<PathBuf, Document>) -> Vec<String> {
    let book = run::root().join(BOOK);
    let summary = book.join("SUMMARY.md");
    let listed: HashSet<PathBuf> = documents
        .get(&summary)
        .iter()
        .flat_map(|it| &it.links)
        .map(|link| book.join(link))
        .collect();
    let pages = documents
        .keys()
        .filter(|file| file.starts_with(&book) && **file != summary);
    pages
        .filter(|file| !listed.contains(*file))
        .map(|file| format!("{}: not in SUMMARY.md", shown(file)))
        .collect()
}

/// Without `..`, as the files compared here are not symbolic links.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

fn shown(file: &Path) -> String {
    file.strip_prefix(run::root())
        .unwrap_or(file)
        .display()
        .to_string()
}

fn markdown_in(folder: &Path, below: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = normal(&entry?.path());
        if path.is_dir() && below {
            found.extend(markdown_in(&path, below)?);
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_the_built_pages() {
        let text = "# Exit codes\n\n## `synclave connect`\n\n## What, why?\n\n## What, why?\n";
        let document = Document::parse(text);
        let expected = ["exit-codes", "synclave-connect", "what-why", "what-why-1"];
        assert_eq!(document.anchors, expected.map(str::to_owned).into());
    }

    #[test]
    fn links_in_code_are_none() {
        let document = Document::parse("[a](b.md#c) ![d](e.svg) `[f](g)`\n\n    [h](i)\n");
        assert_eq!(document.links, ["b.md#c", "e.svg"]);
    }
}
