//! A constraint in words.

use schema::{DeclaredConstraint, DeclaredValue};

use crate::html::Html;

/// Values of a list that are named.
const MOST: usize = 12;

/// Appends a constraint as a sentence.
pub(crate) fn sentence(html: &mut Html, constraint: &DeclaredConstraint) {
    match constraint {
        DeclaredConstraint::Impossible(columns) => {
            html.markup("No row has ");
            for (i, (column, values)) in columns.iter().enumerate() {
                html.markup(if i == 0 { "" } else { " together with " });
                html.word(column).markup(match values.len() {
                    1 => " = ",
                    _ => " in ",
                });
                list(html, values);
            }
            html.markup(".");
        }
        DeclaredConstraint::Determines { from, to, map } => {
            html.word(from).markup(" determines ").word(to);
            html.text(format_args!(" ({} values).", map.len()));
        }
    }
}

fn list(html: &mut Html, values: &[DeclaredValue]) {
    for (i, value) in values.iter().take(MOST).enumerate() {
        html.markup(if i == 0 { "" } else { ", " });
        match value {
            Some(text) => html.word(text),
            None => html.markup("missing"),
        };
    }
    if values.len() > MOST {
        html.text(format_args!(" and {} others", values.len() - MOST));
    }
}
