//! Codes to values with types, for files that have types of their own.

use std::sync::Arc;

use rand_core::Rng;
use schema::{Column, Condition, Day, Kind, Moment, OutputColumn, Rendering, Schema, Value};

use crate::new_identifiers::NewIdentifiers;

/// Values of one column, a place for each row; `None` where the value is missing, or is `other` in
/// a column of no texts.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnValues {
    /// Categories, and `other`; new identifiers.
    Text(Vec<Option<Arc<str>>>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
    /// Days.
    Date(Vec<Option<Day>>),
    /// Days with a time.
    Datetime(Vec<Option<Moment>>),
    /// False and true.
    Boolean(Vec<Option<bool>>),
}

impl ColumnValues {
    /// No values yet, of the column's kind.
    #[must_use]
    pub fn none_of(column: OutputColumn<'_>) -> Self {
        let OutputColumn::Coded(column) = column else {
            return Self::Text(Vec::new());
        };
        match column.kind() {
            Kind::Categories(_) => Self::Text(Vec::new()),
            Kind::Integer(_) => Self::Integer(Vec::new()),
            Kind::Number(_) => Self::Number(Vec::new()),
            Kind::Date(_) => Self::Date(Vec::new()),
            Kind::Datetime(_) => Self::Datetime(Vec::new()),
            Kind::Boolean => Self::Boolean(Vec::new()),
        }
    }

    fn push_none(&mut self) {
        match self {
            Self::Text(values) => values.push(None),
            Self::Integer(values) => values.push(None),
            Self::Number(values) => values.push(None),
            Self::Date(values) => values.push(None),
            Self::Datetime(values) => values.push(None),
            Self::Boolean(values) => values.push(None),
        }
    }
}

/// Draws the values that codes stand for.
///
/// From the same codes with the same generator it draws the very values that
/// [`RowWriter`](crate::RowWriter) writes.
#[derive(Debug)]
pub struct ValueDrawer {
    columns: Vec<Drawn>,
    identifiers: NewIdentifiers,
}

#[derive(Debug)]
struct Drawn {
    column: Column,
    /// For categories: what each code is.
    texts: Vec<Option<Arc<str>>>,
    renderings: Vec<Rendering>,
}

impl ValueDrawer {
    /// For rows of this schema.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let columns = schema.columns().iter().map(Drawn::new);
        Self {
            columns: columns.collect(),
            identifiers: NewIdentifiers::new(schema),
        }
    }

    /// The same for rows that satisfy a condition: a bin that is wanted in part becomes a value of
    /// that part.
    ///
    /// # Panics
    /// If the condition is on another schema.
    #[must_use]
    pub fn within(mut self, condition: &Condition) -> Self {
        for (column, parts) in condition.renderings() {
            for (&code, part) in parts {
                self.columns[column].renderings[code] = part.clone();
            }
        }
        self
    }

    /// Draws the values of rows given as codes, column by column, and appends them to those of all
    /// [output columns](Schema::output_columns).
    ///
    /// # Panics
    /// If codes or values do not fit the schema, or there are more rows than
    /// [`Schema::check_rows`] allows.
    pub fn draw(&mut self, codes: &[Vec<u32>], rng: &mut impl Rng, values: &mut [ColumnValues]) {
        assert_eq!(
            codes.len(),
            self.columns.len(),
            "there are codes for every column"
        );
        // Row by row, as text is written: the generator then gives both the same.
        let rows = codes[0].len();
        for row in 0..rows {
            self.identifiers.begin(rng);
            let mut values = values.iter_mut();
            let coded = self.columns.iter().zip(codes).map(Some);
            for (place, coded) in coded.chain([None]).enumerate() {
                self.identifiers.next_behind(place, |identifier| {
                    let Some(ColumnValues::Text(values)) = values.next() else {
                        panic!("there are texts for every column of identifiers");
                    };
                    values.push(Some(Arc::from(identifier)));
                });
                if let Some((column, codes)) = coded {
                    let values = values.next().expect("there are values for every column");
                    column.push(codes[row] as usize, rng, values);
                }
            }
        }
    }
}

impl Drawn {
    fn new(column: &Column) -> Self {
        let texts = match column.kind() {
            Kind::Categories(texts) => {
                let known = texts.iter().map(String::as_str);
                let other = column.has_other().then(|| column.other_text());
                let texts = known.chain(other).map(|text| Some(Arc::from(text)));
                texts.chain(column.is_nullable().then_some(None)).collect()
            }
            _ => Vec::new(),
        };
        Self {
            texts,
            renderings: column.renderings(|text| text.as_bytes().to_vec(), b""),
            column: column.clone(),
        }
    }

    fn push(&self, code: usize, rng: &mut impl Rng, values: &mut ColumnValues) {
        let special = [self.column.null_code(), self.column.other_code()].contains(&Some(code));
        // Texts and truths need no drawing, as in text.
        let value = match values {
            ColumnValues::Text(values) => return values.push(self.texts[code].clone()),
            ColumnValues::Boolean(values) => return values.push((!special).then_some(code == 1)),
            _ if special => None,
            _ => Some(self.renderings[code].draw(rng)),
        };
        match (values, value) {
            (ColumnValues::Integer(values), Some(Value::Whole(whole))) => values.push(Some(whole)),
            (ColumnValues::Date(values), Some(Value::Day(day))) => values.push(Some(day)),
            (ColumnValues::Datetime(values), Some(Value::Moment(moment))) => {
                values.push(Some(moment));
            }
            (ColumnValues::Number(values), Some(Value::Text(text))) => {
                let text = std::str::from_utf8(&text).unwrap_or_default();
                values.push(text.parse().ok());
            }
            (values, _) => values.push_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use schema::Declaration;

    use super::*;
    use crate::{Format, RowWriter};

    const YAML: &str = "\
        p: {identifier: {format: 'P-###'}}\n\
        t: {categories: [plain, quoted], nullable: true, other: true}\n\
        i: {integer: {min: -50, max: 119, bins: 12}, nullable: true}\n\
        n: {number: {min: 0, max: 1e6, bins: 4}}\n\
        s: {number: {min: 0, max: 1e-20, bins: 4}}\n\
        d: {date: {min: 2020-01-01, max: 2020-12-31, bins: 2}}\n\
        m: {datetime: {min: 2020-01-01T00:00, max: 2020-01-02T00:00, bins: 3}, nullable: true}\n\
        b: {boolean: true, nullable: true}\n\
        k: {identifier: {format: 'K@##'}}\n";

    fn shown(values: &ColumnValues, row: usize) -> String {
        fn text<T: ToString>(value: &Option<T>) -> String {
            value.as_ref().map_or(String::new(), T::to_string)
        }
        match values {
            ColumnValues::Text(values) => text(&values[row]),
            ColumnValues::Integer(values) => text(&values[row]),
            ColumnValues::Number(values) => text(&values[row]),
            ColumnValues::Date(values) => text(&values[row]),
            ColumnValues::Datetime(values) => text(&values[row]),
            ColumnValues::Boolean(values) => text(&values[row]),
        }
    }

    #[test]
    fn values_are_those_that_are_written_as_text() {
        let schema = Schema::new(Declaration::from_yaml(YAML).unwrap()).unwrap();
        let codes: Vec<Vec<u32>> = schema
            .sizes()
            .iter()
            .map(|&size| {
                (0..60)
                    .map(|row| row % u32::try_from(size).unwrap())
                    .collect()
            })
            .collect();
        let condition = Condition::parse("i > 3 and n < 900", &schema).unwrap();
        let mut csv = Vec::new();
        let mut writer = RowWriter::new(Format::Csv, &schema).within(&condition);
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        writer.write(&codes, &mut rng, &mut csv).unwrap();
        let mut values: Vec<ColumnValues> =
            schema.output_columns().map(ColumnValues::none_of).collect();
        let mut drawer = ValueDrawer::new(&schema).within(&condition);
        drawer.draw(&codes, &mut ChaCha20Rng::seed_from_u64(3), &mut values);
        let text = String::from_utf8(csv).unwrap();
        for (row, line) in text.lines().skip(1).enumerate() {
            for (column, field) in line.split(',').enumerate() {
                let shown = shown(&values[column], row);
                // 1e-21 and 0.000000000000000000001 are one number.
                let same_number = || {
                    let number = |text: &str| text.parse::<f64>().ok();
                    number(&shown).is_some() && number(&shown) == number(field)
                };
                assert!(shown == field || same_number(), "{shown} {field}");
            }
        }
    }

    #[test]
    fn what_is_other_among_numbers_has_no_value() {
        let yaml = "i: {integer: {min: 0, max: 1}, other: true}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let mut values: Vec<ColumnValues> =
            schema.output_columns().map(ColumnValues::none_of).collect();
        let mut drawer = ValueDrawer::new(&schema);
        drawer.draw(
            &[vec![1, 2, 0]],
            &mut ChaCha20Rng::seed_from_u64(3),
            &mut values,
        );
        assert_eq!(
            values,
            [ColumnValues::Integer(vec![Some(1), None, Some(0)])]
        );
    }
}
