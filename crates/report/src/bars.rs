//! A column's distribution in two tables, as bars.
//!
//! Drawn as plain SVG: poloto has neither error bars nor heat maps, and plotters writes a colour
//! into each mark, which no dark mode can change; neither gives a drawing its title for people who
//! hear the page.

use schema::{Column, Kind};

use crate::html::{Html, percent, short_numbers, shortened};

/// Most values of a column that have bars of their own.
const MOST: usize = 24;

/// One value, or several together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) label: String,
    /// Shares of the rows of the first table and of the second, where there are such.
    pub(crate) shares: [Option<f64>; 2],
    /// Half the width of the first share's 95 % interval.
    pub(crate) error: f64,
}

/// The counts of a column's codes in two tables.
pub(crate) struct Distributions<'a> {
    pub(crate) column: &'a Column,
    /// Shares of the rows, in the order of the codes.
    pub(crate) shares: [Option<&'a [f64]>; 2],
    /// Standard deviation of the noise in each of the first shares.
    pub(crate) sigma: f64,
}

/// What the two tables are called.
#[derive(Clone, Copy)]
pub(crate) struct Names(pub(crate) [&'static str; 2]);

impl Distributions<'_> {
    /// A bar for each value, with neighbours or rare values together where there are many.
    pub(crate) fn bars(&self) -> Vec<Bar> {
        let values = self.column.kind().len();
        let mut bars = match self.column.kind() {
            _ if values <= MOST => (0..values).map(|code| self.bar(&[code])).collect(),
            Kind::Categories(_) => self.frequent(values),
            _ => self.neighbours(values),
        };
        for special in [self.column.other_code(), self.column.null_code()] {
            bars.extend(special.map(|code| self.bar(&[code])));
        }
        bars
    }

    fn bar(&self, codes: &[usize]) -> Bar {
        let label = match codes {
            [code] if Some(*code) == self.column.null_code() => "missing".to_owned(),
            [code] => self.column.label(*code).into_owned(),
            [first, .., last] => {
                let (first, last) = (self.column.label(*first), self.column.label(*last));
                // Of two bins "0 to 4" and "15 to 19", the ends.
                let start = first.split_once(" to ").map_or(&*first, |(start, _)| start);
                let end = last.rsplit_once(" to ").map_or(&*last, |(_, end)| end);
                format!("{start} to {end}")
            }
            [] => String::new(),
        };
        let label = match self.column.kind() {
            Kind::Number(_) => short_numbers(&label),
            _ => label,
        };
        self.labelled(label, codes)
    }

    fn labelled(&self, label: String, codes: &[usize]) -> Bar {
        let sum = |shares: &[f64]| codes.iter().map(|&code| shares[code]).sum();
        Bar {
            label,
            shares: self.shares.map(|shares| shares.map(sum)),
            // Noise of several counts adds up by its variance.
            error: 1.96 * self.sigma * (codes.len() as f64).sqrt(),
        }
    }

    fn neighbours(&self, values: usize) -> Vec<Bar> {
        let codes: Vec<usize> = (0..values).collect();
        let groups = codes.chunks(values.div_ceil(MOST));
        groups.map(|group| self.bar(group)).collect()
    }

    /// The most frequent values, in their order, and the others in one bar.
    fn frequent(&self, values: usize) -> Vec<Bar> {
        let [first, second] = self.shares;
        let Some(shares) = second.or(first) else {
            return Vec::new();
        };
        let mut codes: Vec<usize> = (0..values).collect();
        codes.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        let rare = codes.split_off(MOST - 1);
        codes.sort_unstable();
        let mut bars: Vec<Bar> = codes.iter().map(|&code| self.bar(&[code])).collect();
        bars.push(self.labelled(format!("{} rarer values", rare.len()), &rare));
        bars
    }
}

/// In the drawing's units, which are pixels at its full size.
const WIDTH: f64 = 340.0;
const WIDEST_LABEL: f64 = 130.0;
const FIGURES: f64 = 48.0;
const ROW: f64 = 19.0;
const FOOT: f64 = 18.0;

/// Draws the bars, and puts their figures in a table below.
pub(crate) fn draw(html: &mut Html, column: &str, bars: &[Bar], names: Names, id: usize) {
    let largest = bars.iter().flat_map(|bar| {
        let [first, second] = bar.shares.map(|share| share.unwrap_or(0.0));
        [first + bar.error, second]
    });
    let largest = largest.fold(0.0, f64::max).max(1e-9);
    let height = ROW * bars.len() as f64 + FOOT;
    let [first, second] = names.0;
    html.markup("<svg role=\"img\"");
    html.attribute("viewBox", format_args!("0 0 {WIDTH} {height}"));
    html.attribute("width", WIDTH).attribute("height", height);
    html.attribute("aria-labelledby", format_args!("t{id} d{id}"));
    html.markup(">\n<title")
        .attribute("id", format_args!("t{id}"))
        .markup(">");
    html.text(format_args!("Distribution of {}", shortened(column, 60)));
    html.markup("</title><desc")
        .attribute("id", format_args!("d{id}"))
        .markup(">");
    html.text(format_args!(
        "Two bars for each of {} values: {first} above, {second} below, as shares of the rows",
        bars.len()
    ));
    html.markup("</desc>\n");
    let widest = bars
        .iter()
        .map(|bar| width_of(&bar.label))
        .fold(20.0, f64::max);
    let left = widest.min(WIDEST_LABEL) + 6.0;
    let scale = (WIDTH - left - FIGURES) / largest;
    for (row, bar) in bars.iter().enumerate() {
        draw_bar(html, bar, [left, ROW * row as f64], scale, names);
    }
    axis(html, left, height - FOOT, largest);
    html.markup("</svg>\n<details><summary>Figures</summary>\n");
    let headings = ["value", first, "95 % within", second];
    html.table(&headings, bars, |html, bar| {
        let [first, second] = bar
            .shares
            .map(|share| share.map_or("unknown".to_owned(), percent));
        html.row_heading(&bar.label).number(first);
        html.number(format_args!("± {}", percent(bar.error)))
            .number(second);
    });
    html.markup("</details>\n");
}

fn draw_bar(html: &mut Html, bar: &Bar, [left, top]: [f64; 2], scale: f64, names: Names) {
    let [first, second] = bar.shares;
    html.markup("<g><title>").text(&bar.label).markup(": ");
    for (name, share) in names.0.into_iter().zip(bar.shares) {
        let share = share.map_or("unknown".to_owned(), percent);
        html.text(format_args!("{name} {share}; "));
    }
    html.markup("</title>");
    clipped_label(html, &bar.label, 0.0, top, left - 6.0);
    let mut rect = |class: &'static str, y: f64, height: f64, share: f64| {
        html.markup("<rect").attribute("class", class);
        html.length("x", left).length("y", y);
        // Noise can make a count negative, and a bar has no negative length.
        html.length("width", (share * scale).max(0.0))
            .length("height", height);
        html.markup("/>");
    };
    if let Some(share) = first {
        rect("first", top + 2.0, 7.0, share);
    }
    if let Some(share) = second {
        rect("second", top + 10.0, 5.0, share);
    }
    if let Some(share) = first.filter(|_| bar.error > 0.0) {
        let place = |share: f64| left + share.max(0.0) * scale;
        let (low, high) = (place(share - bar.error), place(share + bar.error));
        let (middle, ends) = (top + 5.5, [top + 3.0, top + 8.0]);
        line(html, "error", [low, middle], [high, middle]);
        line(html, "error", [low, ends[0]], [low, ends[1]]);
        line(html, "error", [high, ends[0]], [high, ends[1]]);
    }
    if let Some(share) = second.or(first) {
        html.markup("<text class=\"faint\" text-anchor=\"end\"");
        html.length("x", WIDTH).length("y", top + 13.0).markup(">");
        html.text(percent(share).replace("under ", "<"))
            .markup("</text>");
    }
    html.markup("</g>\n");
}

/// Text that is cut off at its frame, however wide its letters are and whatever is stacked on them.
pub(crate) fn clipped_label(html: &mut Html, text: &str, left: f64, top: f64, width: f64) {
    html.markup("<svg").length("x", left).length("y", top);
    html.length("width", width).length("height", ROW);
    html.markup("><text text-anchor=\"end\"")
        .length("x", width)
        .markup(" y=\"13\">");
    html.text(fitting(text, width)).markup("</text></svg>");
}

/// As much of a text as has room.
fn fitting(text: &str, width: f64) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut left = width - width_of("…");
    let fits = text.chars().take_while(|c| {
        left -= width_of_letter(*c);
        left >= 0.0
    });
    shortened(text, fits.count())
}

/// A cautious guess of how wide a text is.
fn width_of(text: &str) -> f64 {
    text.chars().map(width_of_letter).sum()
}

/// Of a letter of 11 pixels.
fn width_of_letter(letter: char) -> f64 {
    const NARROW: f64 = 6.6;
    const WIDE: f64 = 11.0;
    if letter.is_ascii() { NARROW } else { WIDE }
}

fn axis(html: &mut Html, left: f64, top: f64, largest: f64) {
    line(html, "axis", [left, 0.0], [left, top]);
    line(html, "axis", [left, top], [WIDTH - FIGURES, top]);
    for (x, anchor, text) in [
        (left, "start", "0".to_owned()),
        (WIDTH - FIGURES, "end", percent(largest)),
    ] {
        html.markup("<text class=\"faint\"")
            .attribute("text-anchor", anchor);
        html.length("x", x).length("y", top + 13.0).markup(">");
        html.text(text).markup("</text>");
    }
}

pub(crate) fn line(html: &mut Html, class: &'static str, from: [f64; 2], to: [f64; 2]) {
    html.markup("<line").attribute("class", class);
    html.length("x1", from[0]).length("y1", from[1]);
    html.length("x2", to[0]).length("y2", to[1]).markup("/>");
}

/// What the colours of the bars mean.
pub(crate) fn legend(html: &mut Html, names: Names, errors: bool) {
    let [first, second] = names.0;
    html.markup("<p class=\"legend\"><span><i class=\"key first\"></i>")
        .text(first);
    html.markup("</span><span><i class=\"key second\"></i>")
        .text(second);
    html.markup("</span>");
    if errors {
        html.markup("<span>├─┤ 95 % of the noise</span>");
    }
    html.markup("</p>\n");
}

#[cfg(test)]
mod tests {
    use schema::{Declaration, Schema};

    use super::*;

    fn column(declared: &str) -> Column {
        let declaration = Declaration::from_yaml(&format!("c: {declared}\n")).unwrap();
        Schema::new(declaration).unwrap().columns()[0].clone()
    }

    fn labels(declared: &str, shares: &[f64]) -> Vec<String> {
        let distributions = Distributions {
            column: &column(declared),
            shares: [None, Some(shares)],
            sigma: 0.0,
        };
        let bars = distributions.bars().into_iter();
        bars.map(|bar| bar.label).collect()
    }

    #[test]
    fn neighbouring_bins_of_many_are_one_bar() {
        let labels = labels("{integer: {min: 0, max: 99, bins: 100}}", &[0.01; 100]);
        assert_eq!(labels.len(), 20);
        assert_eq!((&*labels[0], &*labels[19]), ("0 to 4", "95 to 99"));
    }

    #[test]
    fn of_many_categories_the_rare_ones_are_one_bar_and_other_and_missing_keep_theirs() {
        let names: Vec<String> = (0..30).map(|i| format!("c{i}")).collect();
        let declared = format!(
            "{{categories: [{}], other: true, nullable: true}}",
            names.join(",")
        );
        let mut shares: Vec<f64> = (0..30).map(f64::from).collect();
        shares.extend([1.0, 2.0]);
        let labels = labels(&declared, &shares);
        assert_eq!(labels.len(), 26);
        assert_eq!(labels[0], "c7");
        assert_eq!(labels[23..], ["7 rarer values", "other", "missing"]);
    }

    #[test]
    fn noise_of_counts_that_are_added_grows_with_the_root_of_their_number() {
        let column = column("{integer: {min: 0, max: 99, bins: 100}}");
        let distributions = Distributions {
            column: &column,
            shares: [Some(&[0.01; 100]), None],
            sigma: 0.001,
        };
        let bar = &distributions.bars()[0];
        assert!((bar.error - 1.96 * 0.001 * 5f64.sqrt()).abs() < 1e-12);
        assert!((bar.shares[0].unwrap() - 0.05).abs() < 1e-12);
    }

    #[test]
    fn labels_are_cut_to_their_room() {
        assert_eq!(fitting("short", 134.0), "short");
        assert_eq!(
            fitting(&"x".repeat(100), 66.0),
            format!("{}…", "x".repeat(8))
        );
        assert!(fitting(&"語".repeat(100), 63.0).chars().count() <= 6);
    }
}
