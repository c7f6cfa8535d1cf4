//! Columns as a question names them: with commas between them, and in quotes where their names have
//! some of their own.

use schema::{Column, Schema};
use strict_yaml::nearest;

use crate::exit::BadInput;

pub(crate) fn position(name: &str, schema: &Schema) -> Result<usize, BadInput> {
    let known = || schema.columns().iter().map(Column::name);
    let unknown = || match nearest(name, known()) {
        Some(meant) => format!("there is no column `{name}`; did you mean `{meant}`?"),
        None => {
            format!("there is no column `{name}`; `synclave inspect` lists the model's columns")
        }
    };
    schema.position(name).ok_or_else(|| BadInput(unknown()))
}

/// Names with commas between them, without their quotes.
pub(crate) fn names(text: &str) -> Vec<String> {
    let commas = unquoted(text)
        .filter(|(_, sign)| *sign == ',')
        .map(|(place, _)| place);
    let mut start = 0;
    let mut names = Vec::new();
    for end in commas.chain([text.len()]) {
        names.push(text[start..end].trim());
        start = end + 1;
    }
    let without_quotes = |name: &str| {
        let quote = name.chars().next().filter(|quote| QUOTES.contains(quote));
        match quote.and_then(|quote| name.strip_prefix(quote)?.strip_suffix(quote)) {
            Some(inner) => {
                let quote = &name[..1];
                inner.replace(&quote.repeat(2), quote)
            }
            None => name.to_owned(),
        }
    };
    let named = names.into_iter().filter(|name| !name.is_empty());
    named.map(without_quotes).collect()
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

/// The characters of a text that are not in quotes, which are not among them either.
pub(crate) fn unquoted(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut within = None;
    text.char_indices().filter(move |&(_, sign)| match within {
        Some(quote) if sign == quote => {
            within = None;
            false
        }
        Some(_) => false,
        None if QUOTES.contains(&sign) => {
            within = Some(sign);
            false
        }
        None => true,
    })
}
