//! HTML in which no text of a table can become markup.

use std::fmt::{Display, Write};

use printable::escaped;
use schema::number;

/// A page that is being written.
///
/// Markup comes from this program's own source (`&'static str`). Whatever else is put on a page
/// goes through [`text`](Self::text) or an attribute, which escape it.
#[derive(Default)]
pub(crate) struct Html(String);

/// A text is cut here, in characters: a category may be as long as a book.
const LONGEST: usize = 200;

impl Html {
    /// Appends markup of ours.
    pub(crate) fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends text, so that it is shown as it is. What a screen would obey or hide is shown by its
    /// code.
    pub(crate) fn text(&mut self, text: impl Display) -> &mut Self {
        let text = text.to_string();
        let short = shortened(&text, LONGEST);
        for character in escaped(&short).chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                // For attributes, which are all in double quotes.
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// Appends an attribute to the tag that is open.
    pub(crate) fn attribute(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        self.markup(" ").markup(name).markup("=\"");
        self.text(value).markup("\"")
    }

    /// Appends an attribute that is a length or a place in a drawing, to a tenth of its unit.
    pub(crate) fn length(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.markup(" ").markup(name).markup("=\"");
        // A page has thousands of them: a whole number needs no decimals.
        let tenths = (value * 10.0).round() + 0.0; // never -0
        let whole = tenths % 10.0 == 0.0;
        let decimals = if whole { 0 } else { 1 };
        write!(self.0, "{:.decimals$}", tenths / 10.0).expect("writing to memory does not fail");
        self.markup("\"")
    }

    /// Appends an element that holds text alone.
    pub(crate) fn element(&mut self, tag: &'static str, text: impl Display) -> &mut Self {
        self.markup("<").markup(tag).markup(">");
        self.text(text);
        self.markup("</").markup(tag).markup(">\n")
    }

    /// Appends a name or value of a table: its direction of writing does not turn what is around.
    pub(crate) fn word(&mut self, text: &str) -> &mut Self {
        self.markup("<bdi>").text(text).markup("</bdi>")
    }

    /// Appends a table with these headings; each row fills its cells itself.
    pub(crate) fn table<T>(
        &mut self,
        headings: &[&'static str],
        rows: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Html, T),
    ) {
        self.markup("<div class=\"scroll\"><table>\n<thead><tr>");
        for heading in headings {
            self.markup("<th scope=\"col\">")
                .text(heading)
                .markup("</th>");
        }
        self.markup("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.markup("<tr>");
            fill(self, row);
            self.markup("</tr>\n");
        }
        self.markup("</tbody></table></div>\n");
    }

    /// Appends a cell of text.
    pub(crate) fn cell(&mut self, text: impl Display) -> &mut Self {
        self.markup("<td>").text(text).markup("</td>")
    }

    /// Appends a cell with a number, or with a word for one.
    pub(crate) fn number(&mut self, text: impl Display) -> &mut Self {
        self.markup("<td class=\"number\">")
            .text(text)
            .markup("</td>")
    }

    /// Appends the cell that names its row.
    pub(crate) fn row_heading(&mut self, name: &str) -> &mut Self {
        self.markup("<th scope=\"row\">").word(name).markup("</th>")
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// The first characters of a text, and an ellipsis where that is not all.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Opens a page up to its first heading. The policy forbids every browser to load or run anything
/// for it, whatever else may be wrong with the page.
pub(crate) fn open(title: &'static str) -> Html {
    let mut page = Html::default();
    page.markup(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n",
    );
    page.element("title", title);
    page.markup("<style>\n").markup(include_str!("page.css"));
    page.markup("</style>\n</head>\n<body>\n<header>\n");
    page.element("h1", title);
    page
}

/// Closes a page.
pub(crate) fn close(mut page: Html) -> String {
    page.markup(
        "<footer><p>Made by synclave. This page is one file: it loads nothing and runs \
         nothing.</p></footer>\n</body>\n</html>\n",
    );
    page.into_string()
}

/// A bin or a range of numbers with as many digits as a person reads: `9.143 to 18.29`.
pub(crate) fn short_numbers(span: &str) -> String {
    let short = |text: &str| text.parse().map_or_else(|_| text.to_owned(), number::shown);
    let ends: Vec<String> = span.split(" to ").map(short).collect();
    ends.join(" to ")
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent > 0.0 && percent < 0.05 => "under 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// A whole number with a comma before every three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
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
    fn text_never_becomes_markup() {
        let mut html = Html::default();
        html.text("</td><script>alert('x')</script>&amp;\u{202e}\n");
        html.markup("<a")
            .attribute("title", "\" onclick=\"x")
            .markup(">");
        assert_eq!(
            html.into_string(),
            "&lt;/td&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;\\u{202e}\\n\
             <a title=\"&quot; onclick=&quot;x\">"
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("Größe", 3), "Grö…");
        assert_eq!(shortened("Größe", 5), "Größe");
    }

    #[test]
    fn spans_of_numbers_are_short_and_other_texts_stay() {
        assert_eq!(
            short_numbers("9.142857142857139 to 18.285"),
            "9.143 to 18.29"
        );
        assert_eq!(
            short_numbers("2020-01-01 to 2020-02-01"),
            "2020-01-01 to 2020-02-01"
        );
    }

    #[test]
    fn numbers_are_short_and_say_what_is_small() {
        let mut html = Html::default();
        html.length("x", 3.0).length("y", 3.2).length("z", -0.04);
        assert_eq!(html.into_string(), " x=\"3\" y=\"3.2\" z=\"0\"");
        assert_eq!(
            (percent(0.0), percent(1e-5)),
            ("0.0 %".into(), "under 0.1 %".into())
        );
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(
            (grouped(999), grouped(1_234_567)),
            ("999".into(), "1,234,567".into())
        );
    }
}
