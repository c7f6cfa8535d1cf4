//! In which form the dates of an undeclared column are written.

use schema::form::DateForm;

use super::kind::Seen;

/// The forms from which that of a column is chosen, which are the same for all tables.
pub(super) struct DateForms {
    forms: Vec<Candidate>,
    compact: DateForm,
}

struct Candidate {
    form: DateForm,
    /// The same with numbers written without the zero before them.
    unpadded: Option<DateForm>,
    /// The position of the form that has day and month the other way round; its own if there is
    /// none.
    mirrored: usize,
}

/// Cells of one candidate: fields that its mirror image cannot read, with zeros and without; and
/// those that both can read, which the first of the two has.
const CELLS: usize = 4;

impl DateForms {
    pub(super) fn usual() -> Self {
        let forms = DateForm::usual();
        let position = |pattern: &str| forms.iter().position(|form| form.pattern() == pattern);
        let candidates = forms.iter().enumerate().map(|(i, form)| Candidate {
            form: form.clone(),
            unpadded: form.unpadded(),
            mirrored: position(&mirrored(form.pattern())).unwrap_or(i),
        });
        Self {
            forms: candidates.collect(),
            compact: DateForm::new(COMPACT).expect("a complete pattern"),
        }
    }

    /// Whether digits are a day of our time. Of other numbers of eight digits, one in a thousand
    /// is.
    pub(super) fn is_compact(&self, text: &[u8]) -> bool {
        text.len() == 8
            && matches!(text, [b'1', b'9', ..] | [b'2', b'0', ..])
            && self.compact.day(text).is_some()
    }

    pub(super) fn compact(&self) -> DateForm {
        self.compact.clone()
    }

    /// Whether a date has a time of day; `None` if the text is not a date.
    pub(super) fn has_time(&self, text: &[u8]) -> Option<bool> {
        let read = self.forms.iter().find(|it| reads(&it.form, text))?;
        Some(read.form.has_time())
    }

    /// How many cells there are.
    pub(super) fn cell_count(&self) -> usize {
        CELLS * self.forms.len()
    }

    /// Rows in each cell, for texts with their rows.
    pub(super) fn cells<'a>(&self, texts: impl Iterator<Item = (&'a [u8], u32)>) -> Vec<u32> {
        let mut cells = vec![0; self.cell_count()];
        for (text, rows) in texts {
            if let Some(cell) = self.cell(text) {
                cells[cell] += rows;
            }
        }
        cells
    }

    /// The cell that counts a date; none if the text is not one.
    pub(super) fn cell(&self, text: &[u8]) -> Option<usize> {
        let read = |it: &&Candidate| reads(&it.form, text);
        let first = self.forms.iter().position(|it| read(&it))?;
        // Of several that read it, the one that would write it so; seconds with three digits after
        // the point are read as those with six.
        let as_written = |it: &Candidate| {
            let unpadded = it.unpadded.iter();
            unpadded
                .chain([&it.form])
                .any(|form| form.is_as_written(text))
        };
        let own = self.forms.iter().position(|it| read(&it) && as_written(it));
        let own = own.unwrap_or(first);
        let it = &self.forms[own];
        // Moments with an offset are not written as they were read, padded or not.
        let written = |form: &DateForm| form.is_as_written(text);
        let lacks_zero = !written(&it.form) && it.unpadded.as_ref().is_some_and(written);
        let ambiguous = it.mirrored != own && reads(&self.forms[it.mirrored].form, text);
        let at = if ambiguous { own.min(it.mirrored) } else { own };
        Some(CELLS * at + 2 * usize::from(ambiguous) + usize::from(lacks_zero))
    }

    /// The form that nine tenths of the dates have by noisy counts, if one has. Where no field
    /// tells day from month, the day comes first.
    pub(super) fn chosen(&self, noisy: &[f64], sigma: f64) -> Option<DateForm> {
        let seen = Seen::new(noisy, sigma);
        let all = seen.sum(0..noisy.len());
        // With zeros, and without.
        let counts = |i: usize| {
            let mirrored = self.forms[i].mirrored;
            let count = |unpadded| {
                let ambiguous = match mirrored == i {
                    true => 0.0,
                    false => seen.count(CELLS * mirrored.min(i) + 2 + unpadded),
                };
                seen.count(CELLS * i + unpadded) + ambiguous
            };
            (count(0), count(1))
        };
        let score = |i: usize| counts(i).0 + counts(i).1;
        // The first of equals, which has the day first.
        let best = (0..self.forms.len()).reduce(|a, b| if score(b) > score(a) { b } else { a })?;
        if all <= 0.0 || score(best) < 0.9 * all {
            return None;
        }
        let it = &self.forms[best];
        // Some dates need no zero; where others lack one, all are written without.
        let unpadded = counts(best).1 >= 0.1 * score(best);
        let form = it.unpadded.as_ref().filter(|_| unpadded);
        Some(form.unwrap_or(&it.form).clone())
    }
}

const COMPACT: &str = "%Y%m%d";

/// The pattern with day and month exchanged.
fn mirrored(pattern: &str) -> String {
    pattern
        .replace("%d", "\0")
        .replace("%m", "%d")
        .replace('\0', "%m")
}

fn reads(form: &DateForm, text: &[u8]) -> bool {
    // Digits alone are numbers or compact dates, which are told apart before.
    form.pattern() != COMPACT && form.day(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(texts: &[(&str, u32)], sigma: f64) -> Option<String> {
        let forms = DateForms::usual();
        let cells = forms.cells(texts.iter().map(|(text, rows)| (text.as_bytes(), *rows)));
        assert_eq!(
            cells.iter().sum::<u32>(),
            texts.iter().map(|(_, rows)| rows).sum::<u32>(),
            "each row is in one cell"
        );
        let noisy: Vec<f64> = cells.into_iter().map(f64::from).collect();
        Some(forms.chosen(&noisy, sigma)?.pattern().to_owned())
    }

    #[test]
    fn a_form_is_known_by_its_fields() {
        for (texts, pattern) in [
            (["2020-01-31", "2021-12-01"], "%Y-%m-%d"),
            (["2020/01/31", "2021/12/01"], "%Y/%m/%d"),
            (["31.1.2020", "1.12.2020"], "%-d.%-m.%Y"),
            (["31.01.2020", "01.12.2020"], "%d.%m.%Y"),
            (["31/01/2020", "01/02/2020"], "%d/%m/%Y"),
            (["01/31/2020", "01/02/2020"], "%m/%d/%Y"),
            (["1/31/2020", "1/2/2020"], "%-m/%-d/%Y"),
            (["31 Jan 2020", "01 Feb 2020"], "%d %b %Y"),
            (["Jan 31, 2020", "Feb 01, 2020"], "%b %d, %Y"),
            (
                ["2020-01-31T10:30:00Z", "2020-02-01T00:00:00Z"],
                "%Y-%m-%dT%H:%M:%SZ",
            ),
            (
                ["2020-01-31 10:30:00", "2020-02-01 00:00:00"],
                "%Y-%m-%d %H:%M:%S",
            ),
            (["2020-01-31 10:30", "2020-02-01 00:00"], "%Y-%m-%d %H:%M"),
        ] {
            let texts = texts.map(|text| (text, 500));
            assert_eq!(chosen(&texts, 10.0).as_deref(), Some(pattern), "{texts:?}");
        }
    }

    #[test]
    fn the_day_comes_first_unless_some_field_says_that_it_does_not() {
        let ambiguous = ("01/02/2020", 900);
        let check = |others: &[(&str, u32)], pattern: &str| {
            let texts = [&[ambiguous], others].concat();
            assert_eq!(chosen(&texts, 10.0).as_deref(), Some(pattern), "{texts:?}");
        };
        check(&[], "%d/%m/%Y");
        check(&[("01/13/2020", 100)], "%m/%d/%Y");
        check(&[("13/01/2020", 100)], "%d/%m/%Y");
        // No clearer than the noise.
        check(&[("01/13/2020", 20)], "%d/%m/%Y");
    }

    #[test]
    fn dates_of_which_no_form_has_nine_tenths_have_none() {
        assert_eq!(
            chosen(&[("2020-01-31", 500), ("31/01/2020", 500)], 1.0),
            None
        );
        let mostly = [("2020-01-31", 950), ("31/01/2020", 50)];
        assert_eq!(chosen(&mostly, 1.0).as_deref(), Some("%Y-%m-%d"));
        assert_eq!(chosen(&[("2020-01-31", 20)], 10.0), None);
    }
}
