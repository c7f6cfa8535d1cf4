//! Whether a file's first line has the names of columns, or a row.

use schema::{Day, Schema};

use crate::error::TableError;

/// Refuses names that look like the fields of a row: with such a file the first person's values
/// would be released as the names of columns.
///
/// A key or a schema that knows one of the names says that they are names. So are numbers that
/// count on, as the years of a wide table do.
///
/// # Errors
/// [`TableError::NoNames`], which quotes none of them; [`TableError::OneName`] where the first line
/// is a title, and [`TableError::QuotedName`] where fields are separated by spaces.
pub(crate) fn check_names(
    names: &[String],
    key: Option<&str>,
    schema: Option<&Schema>,
) -> Result<(), TableError> {
    let is_known = |name: &String| {
        key == Some(name.as_str())
            || schema.is_some_and(|schema| schema.output_columns().any(|it| it.name() == name))
    };
    if names.iter().any(is_known) {
        return Ok(());
    }
    let named = names.iter().filter(|name| !name.is_empty()).count();
    if named == 1 && names.len() > 2 {
        let columns = names.len();
        return Err(TableError::OneName { columns });
    }
    if let [name] = names
        && name.contains('"')
    {
        return Err(TableError::QuotedName);
    }
    let numbers: Vec<f64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let dates = names.iter().filter(|name| name.parse::<Day>().is_ok());
    let values = dates.count()
        + if counts_on(&numbers) {
            0
        } else {
            numbers.len()
        };
    match 2 * values >= names.len() && values > 0 {
        true => Err(TableError::NoNames { values }),
        false => Ok(()),
    }
}

/// Whether numbers are years, or go on in equal steps (of one, if there are two).
fn counts_on(numbers: &[f64]) -> bool {
    let is_year = |number: &f64| number.fract() == 0.0 && (1500.0..2200.0).contains(number);
    let steps: Vec<f64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let Some(&first) = steps.first() else {
        return false;
    };
    let grows = steps.iter().all(|step| *step > 0.0);
    let is_even = steps
        .iter()
        .all(|step| (step - first).abs() <= 1e-6 * first.abs());
    let goes_on = is_even && (steps.len() > 1 || first == 1.0);
    grows && (goes_on || numbers.iter().all(is_year))
}

#[cfg(test)]
mod tests {
    use super::check_names;
    use crate::TableError;

    fn values(line: &str) -> usize {
        let names: Vec<String> = line.split(',').map(str::to_owned).collect();
        match check_names(&names, None, None) {
            Ok(()) => 0,
            Err(TableError::NoNames { values }) => values,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_line_of_values_has_no_names() {
        for (line, expected) in [
            ("12,y,569", 2),
            ("67,229,3.35", 3),
            ("5", 1),
            ("anna,1980-05-01", 1),
            ("1,1,1", 3),
            ("3,2,1", 3),
            ("12,569", 2),
            ("-1e3,x", 1),
        ] {
            assert_eq!(values(line), expected, "{line}");
        }
    }

    #[test]
    fn words_and_numbers_that_count_on_are_names() {
        for line in [
            "age,income",
            "x",
            "",
            "country,2019,2020",
            "country,1990,2000,2005,2010",
            "0,1,2,3",
            "0,1",
            "400.5,401.0,401.5",
            "id,name,7",
        ] {
            assert_eq!(values(line), 0, "{line}");
        }
    }

    #[test]
    fn a_title_and_fields_between_spaces_are_no_names() {
        let refused = |line: &str| {
            let names: Vec<String> = line.split(',').map(str::to_owned).collect();
            check_names(&names, None, None).err()
        };
        let title = refused("Clients of Dr. Smith,,");
        assert!(matches!(title, Some(TableError::OneName { columns: 3 })));
        let spaces = refused("age \"sex\"");
        assert!(matches!(spaces, Some(TableError::QuotedName)));
        assert!(refused(",age").is_none(), "an index without a name");
        assert!(refused("age,sex,,,").is_none(), "empty columns at the end");
    }

    #[test]
    fn what_a_key_names_is_a_name() {
        let names = ["12", "569"].map(str::to_owned);
        assert!(check_names(&names, Some("12"), None).is_ok());
        assert!(check_names(&names, Some("id"), None).is_err());
    }
}
