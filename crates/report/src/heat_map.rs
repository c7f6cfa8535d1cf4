//! How far pairs of columns are off, as a map.

use std::collections::HashMap;

use crate::bars::{clipped_label, line};
use crate::html::{Html, percent};

/// How far one pair of columns is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PairError {
    /// Positions of the columns, ascending.
    pub(crate) columns: [usize; 2],
    /// A share of the rows; none where nothing is known.
    pub(crate) error: Option<f64>,
    /// The error that could not be less.
    pub(crate) best_possible: f64,
    /// Whether not to rely on what the pair shows.
    pub(crate) unreliable: bool,
}

/// What the colours stand for: at most this many times the best possible.
const CLASSES: [(f64, &str, &str); 5] = [
    (1.5, "h0", "up to 1.5 times the best possible"),
    (3.0, "h1", "up to 3 times"),
    (6.0, "h2", "up to 6 times"),
    (12.0, "h3", "up to 12 times"),
    (f64::INFINITY, "h4", "more"),
];

/// More columns than this make squares that nobody can tell apart.
pub(crate) const MOST_COLUMNS: usize = 100;

impl PairError {
    fn class(&self) -> &'static str {
        let Some(error) = self.error else {
            return "hn";
        };
        // Nothing to compare with: of two halves that are equal, say.
        let times = error / self.best_possible.max(1e-9);
        let found = CLASSES.iter().find(|(most, ..)| times <= *most);
        found.map_or("h4", |(_, class, _)| class)
    }

    /// The error in words.
    pub(crate) fn in_words(&self) -> String {
        self.error.map_or("unknown".to_owned(), percent)
    }
}

const NAMES: f64 = 180.0;

/// Draws a square for each pair below the diagonal. Columns are numbered from 1 in their order.
pub(crate) fn draw(html: &mut Html, columns: &[&str], pairs: &[PairError], what: &'static str) {
    // Figures fit into the squares of few columns; of many they would be unreadable anyway.
    let (side, figures) = match columns.len() {
        0..=16 => (32.0, true),
        17..=40 => (18.0, false),
        _ => (12.0, false),
    };
    let row_height = f64::max(side, 19.0);
    let left = NAMES + 34.0;
    let (width, height) = (
        left + side * columns.len() as f64,
        row_height * columns.len() as f64 + 20.0,
    );
    html.markup("<div class=\"scroll\"><svg role=\"img\" aria-labelledby=\"map-title map-text\"");
    html.attribute("viewBox", format_args!("0 0 {width} {height}"));
    html.attribute("width", width).attribute("height", height);
    html.markup(" style=\"max-width:none\">\n<title id=\"map-title\">")
        .text(what);
    html.markup(
        "</title><desc id=\"map-text\">A square for each pair of columns, the darker the \
        farther off; the table below has the figures.</desc>\n",
    );
    for (row, name) in columns.iter().enumerate() {
        let top = row_height * row as f64;
        let middle = top + row_height / 2.0;
        clipped_label(html, name, 0.0, middle - 9.5, NAMES);
        for (x, y) in [
            (NAMES + 30.0, middle + 3.5),
            (left + side * (row as f64 + 0.5) + 6.0, height - 6.0),
        ] {
            // Every number has its row; below narrow columns there is room for every fifth.
            if x > left && side < 18.0 && (row + 1) % 5 != 0 {
                continue;
            }
            html.markup("<text class=\"faint\" text-anchor=\"end\"");
            html.length("x", x).length("y", y).markup(">");
            html.text(row + 1).markup("</text>");
        }
    }
    for pair in pairs {
        let [column, row] = pair.columns;
        let corner = [left + side * column as f64, row_height * row as f64];
        square(html, pair, columns, corner, [side, row_height], figures);
    }
    html.markup("</svg></div>\n");
}

fn square(
    html: &mut Html,
    pair: &PairError,
    columns: &[&str],
    [x, y]: [f64; 2],
    [width, height]: [f64; 2],
    figures: bool,
) {
    let class = pair.class();
    let ink = match class {
        "h4" => "chalk",
        _ => "ink",
    };
    html.markup("<g><title>");
    let [first, second] = pair.columns.map(|column| columns[column]);
    html.text(first).markup(" and ").text(second).markup(": ");
    html.text(pair.in_words()).markup("</title><rect");
    html.attribute("class", format_args!("cell {class}"));
    html.length("x", x).length("y", y);
    html.length("width", width)
        .length("height", height)
        .markup("/>");
    if let Some(error) = pair.error.filter(|_| figures) {
        html.markup("<text text-anchor=\"middle\"")
            .attribute("class", ink);
        html.length("x", x + width / 2.0)
            .length("y", y + height / 2.0 + 3.5);
        html.markup(">")
            .text(format_args!("{:.1}", 100.0 * error))
            .markup("</text>");
    }
    if pair.unreliable {
        let class = if ink == "chalk" {
            "cross chalk"
        } else {
            "cross"
        };
        const CROSS: f64 = 5.0;
        let (right, bottom) = (x + width - 2.5, y + height - 2.5);
        line(
            html,
            class,
            [right - CROSS, bottom - CROSS],
            [right, bottom],
        );
        line(
            html,
            class,
            [right - CROSS, bottom],
            [right, bottom - CROSS],
        );
    }
    html.markup("</g>\n");
}

/// What the colours mean.
pub(crate) fn legend(html: &mut Html, crosses: bool) {
    html.markup("<p class=\"legend\">");
    for (_, class, text) in CLASSES {
        html.markup("<span><i")
            .attribute("class", format_args!("key {class}"));
        html.markup("></i>").text(text).markup("</span> ");
    }
    html.markup("<span><i class=\"key hn\"></i>nothing is known</span> ");
    if crosses {
        html.markup("<span>× do not rely on it</span>");
    }
    html.markup("</p>\n");
}

/// Of each pair the measurement with the smallest error.
pub(crate) fn best_of_each(pairs: impl IntoIterator<Item = PairError>) -> Vec<PairError> {
    let mut best: HashMap<[usize; 2], PairError> = HashMap::new();
    let size = |pair: &PairError| pair.error.unwrap_or(f64::INFINITY);
    for pair in pairs {
        let kept = best.entry(pair.columns).or_insert(pair);
        if size(&pair) < size(kept) {
            *kept = pair;
        }
    }
    let mut pairs: Vec<PairError> = best.into_values().collect();
    // In the order of the columns, never in that of a hash.
    pairs.sort_by_key(|pair| pair.columns);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(columns: [usize; 2], error: Option<f64>) -> PairError {
        PairError {
            columns,
            error,
            best_possible: 0.01,
            unreliable: false,
        }
    }

    #[test]
    fn colours_tell_how_far_from_the_best_possible() {
        for (error, class) in [
            (Some(0.01), "h0"),
            (Some(0.0299), "h1"),
            (Some(0.05), "h2"),
            (Some(0.119), "h3"),
            (Some(0.5), "h4"),
            (None, "hn"),
        ] {
            assert_eq!(pair([0, 1], error).class(), class, "{error:?}");
        }
    }

    #[test]
    fn of_several_measurements_of_a_pair_the_best_counts() {
        let pairs = [
            pair([1, 2], Some(0.3)),
            pair([0, 1], None),
            pair([1, 2], Some(0.1)),
            pair([0, 1], Some(0.2)),
        ];
        assert_eq!(
            best_of_each(pairs),
            [pair([0, 1], Some(0.2)), pair([1, 2], Some(0.1))]
        );
    }

    #[test]
    fn a_pair_that_is_not_to_be_relied_on_is_crossed_out_and_names_are_escaped() {
        let mut html = Html::default();
        let mut one = pair([0, 1], Some(0.17));
        one.unreliable = true;
        draw(&mut html, &["<a>", "b"], &[one], "Errors");
        let html = html.into_string();
        assert_eq!(html.matches("class=\"cross chalk\"").count(), 2, "{html}");
        assert!(html.contains("&lt;a&gt; and b: 17.0 %") && !html.contains("<a>"));
    }
}
