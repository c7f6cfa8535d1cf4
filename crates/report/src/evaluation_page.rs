//! The page of a comparison of synthetic rows with real ones.

use schema::{Column, Schema};
use synthesis::{Distances, Evaluation, PairComparison};

use crate::bars::{self, Distributions, Names};
use crate::heat_map::PairError;
use crate::html::{self, Html, grouped};
use crate::model_page::{MOST_CHARTS, left_out, map_and_table, pair};

/// Relations that are named one by one.
const MOST_RELATIONS: usize = 20;

const NAMES: Names = Names(["real", "synthetic"]);

/// A comparison of synthetic rows with real ones, which nothing protects.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationPage<'a> {
    /// What both tables hold.
    pub schema: &'a Schema,
    /// How far the synthetic rows are from the real ones.
    pub evaluation: &'a Evaluation,
    /// How far one half of the real rows is from the other
    /// ([`evaluate_halves`](synthesis::evaluate_halves)), where there are two.
    pub held_out: Option<&'a Evaluation>,
    /// For each column of the schema, the shares of its codes in the real and the synthetic rows.
    pub one_ways: &'a [[Vec<f64>; 2]],
}

impl EvaluationPage<'_> {
    /// Writes the page: how close the rows are, each score beside what a held-out half of the real
    /// rows gets, and both tables' distributions and relations.
    ///
    /// **Not private**: all of it is computed from the real rows without noise, and the page says
    /// so first of all. It loads and runs nothing, as that of a [model](crate::model_page).
    ///
    /// # Panics
    /// If there are fewer distributions than columns, or they do not fit the schema.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut page = html::open("Synthetic rows beside the real ones");
        page.markup(
            "<p class=\"danger\" role=\"note\">Private: all of this is computed from the real rows \
             without noise, and no budget covers it. It is for the owner of the real table; do not \
             publish it.</p>\n</header>\n<main>\n",
        );
        self.scores(&mut page);
        self.relations(&mut page);
        self.distributions(&mut page);
        self.pairs(&mut page);
        page.markup("</main>\n");
        html::close(page)
    }

    fn scores(&self, page: &mut Html) {
        let evaluation = self.evaluation;
        page.element("h2", "How close the rows are");
        page.element(
            "p",
            format_args!(
                "{} real rows, {} synthetic rows. Distances are total variation distances of \
                 marginals: the share of the rows that would have to move to other cells.",
                grouped(evaluation.real_rows as u64),
                grouped(evaluation.synthetic_rows as u64)
            ),
        );
        page.element("p", match self.held_out {
            Some(_) => {
                "Beside each score is that of a held-out half: one half of the real rows, drawn at \
                 random, against the other half. Real rows that were not copied get no nearer."
            }
            None => "There are too few real rows to hold out half of them.",
        });
        let held_out = self.held_out;
        let of_half = |of: fn(&Evaluation) -> &Distances| held_out.map(of);
        let headings = [
            "marginals of",
            "compared",
            "mean",
            "held-out half",
            "largest",
            "held-out half",
        ];
        let rows = [
            ("columns", &evaluation.one_way, of_half(|it| &it.one_way)),
            ("pairs", &evaluation.two_way, of_half(|it| &it.two_way)),
            (
                "triples",
                &evaluation.three_way,
                of_half(|it| &it.three_way),
            ),
        ];
        page.table(&headings, rows, |page, (name, found, half)| {
            page.markup("<th scope=\"row\">").text(name).markup("</th>");
            page.number(grouped(found.marginals as u64));
            page.number(distance(found.mean))
                .number(beside(half.map(|it| it.mean)));
            page.number(distance(found.max))
                .number(beside(half.map(|it| it.max)));
        });
    }

    fn relations(&self, page: &mut Html) {
        page.element("h2", "The strongest relations of the real table");
        if self.evaluation.pairs.is_empty() {
            page.element("p", "There are no two columns.");
            return;
        }
        page.element(
            "p",
            "Cramer's V with bias correction: 0 for independent columns, 1 where one determines \
             the other.",
        );
        let halves = self
            .held_out
            .map(|it| it.pairs.as_slice())
            .unwrap_or_default();
        let mut pairs: Vec<(usize, &PairComparison)> =
            self.evaluation.pairs.iter().enumerate().collect();
        pairs.sort_by(|(_, a), (_, b)| b.real_association.total_cmp(&a.real_association));
        pairs.truncate(MOST_RELATIONS);
        let headings = [
            "column",
            "column",
            "real",
            "synthetic",
            "a half of the real rows",
        ];
        page.table(&headings, pairs, |page, (at, pair)| {
            for column in &pair.columns {
                page.markup("<td>").word(column).markup("</td>");
            }
            page.number(format_args!("{:.2}", pair.real_association));
            page.number(format_args!("{:.2}", pair.synthetic_association));
            let half = halves
                .get(at)
                .map(|half| format!("{:.2}", half.synthetic_association));
            page.number(half.unwrap_or_default());
        });
    }

    fn distributions(&self, page: &mut Html) {
        page.element("h2", "How the values are distributed");
        bars::legend(page, NAMES, false);
        page.markup("<div class=\"charts\">\n");
        let columns = self.schema.columns();
        let both = columns.iter().zip(self.one_ways).enumerate();
        for (i, (column, [real, synthetic])) in both.take(MOST_CHARTS) {
            page.markup("<article>\n<h3>")
                .word(column.name())
                .markup("</h3>\n");
            let apart: f64 = real.iter().zip(synthetic).map(|(a, b)| (a - b).abs()).sum();
            page.element("p", format_args!("Distance {}.", distance(apart / 2.0)));
            let distributions = Distributions {
                column,
                shares: [Some(real), Some(synthetic)],
                sigma: 0.0,
            };
            bars::draw(page, column.name(), &distributions.bars(), NAMES, i);
            page.markup("</article>\n");
        }
        page.markup("</div>\n");
        left_out(page, columns.len(), MOST_CHARTS, "columns");
    }

    fn pairs(&self, page: &mut Html) {
        page.element("h2", "How far relations are off");
        let halves = self
            .held_out
            .map(|it| it.pairs.as_slice())
            .unwrap_or_default();
        let errors = self.evaluation.pairs.iter().enumerate();
        let errors: Vec<PairError> = errors
            .filter_map(|(at, comparison)| {
                Some(PairError {
                    columns: pair(self.schema, &comparison.columns)?,
                    error: Some(comparison.distance),
                    best_possible: halves.get(at).map_or(0.0, |half| half.distance),
                    unreliable: false,
                })
            })
            .collect();
        if errors.is_empty() {
            page.element("p", "There are no two columns.");
            return;
        }
        page.element(
            "p",
            "For each pair of columns the distance of the synthetic rows from the real ones (in \
             %). Coloured by how far that is beyond the distance between two halves of the real \
             rows, which is the best possible.",
        );
        let names: Vec<&str> = self.schema.columns().iter().map(Column::name).collect();
        map_and_table(page, &names, errors, "Distances of pairs of columns");
    }
}

fn distance(distance: f64) -> String {
    format!("{distance:.4}")
}

fn beside(half: Option<f64>) -> String {
    half.map_or(String::new(), distance)
}

#[cfg(test)]
mod tests {
    use schema::Declaration;
    use synthesis::{evaluate, evaluate_halves};
    use tabular::CodedTable;

    use super::*;

    fn page(rows: u32) -> String {
        let yaml = "\"<b>\": {categories: [x, '\"><script>']}\nn: {integer: {min: 0, max: 9}}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let table = |step: u32| {
            let codes = [2, 10].map(|size| (0..rows).map(|row| row * step % size).collect());
            CodedTable::from_codes(schema.clone(), &codes).unwrap()
        };
        let (real, synthetic) = (table(1), table(3));
        let evaluation = evaluate(&real, &synthetic).unwrap();
        let held_out = evaluate_halves(&real);
        EvaluationPage {
            schema: &schema,
            evaluation: &evaluation,
            held_out: held_out.as_ref(),
            one_ways: &[
                [vec![0.5, 0.5], vec![0.5, 0.5]],
                [vec![0.1; 10], vec![0.1; 10]],
            ],
        }
        .to_html()
    }

    #[test]
    fn it_says_first_that_it_is_private_and_escapes_what_the_table_holds() {
        let page = page(100);
        let text = page.find("Private: all of this").unwrap();
        assert!(text < page.find("<main>").unwrap());
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
        assert!(page.contains("&quot;&gt;&lt;script&gt;") && !page.contains("<script"));
        assert!(page.contains("held-out half"));
    }

    #[test]
    fn one_row_has_no_halves() {
        assert!(page(1).contains("too few real rows"));
    }
}
