//! Query parameters, strictly: unknown, repeated and malformed ones are refused.

use axum::extract::Query;
use axum::http::Uri;
use protocol::{Code, Problem};
use strict_yaml::nearest;

/// The parameters of one request, all of which the path knows.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query of a request to a path that knows these parameters.
    pub(crate) fn from_query(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| {
            Problem::new(
                Code::MalformedRequest,
                "The query cannot be read; it must be name=value pairs.",
            )
        })?;
        for (place, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(unknown(name, known));
            }
            if pairs[..place].iter().any(|(before, _)| before == name) {
                return Err(Problem::new(
                    Code::BadParameter,
                    format!("The parameter `{name}` is given twice."),
                ));
            }
        }
        Ok(Parameters(pairs))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// A whole number between these bounds.
    pub(crate) fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => {
                let detail = format!("`{name}` must be a whole number from {min} to {max}.");
                Err(Problem::new(Code::BadParameter, detail))
            }
        }
    }
}

/// The name is not repeated in the reply unless it resembles a known one: it may be anything.
fn unknown(name: &str, known: &[&str]) -> Problem {
    let detail = match (nearest(name, known.iter().copied()), known) {
        (Some(meant), _) => format!("There is an unknown parameter; did you mean `{meant}`?"),
        (None, []) => "This path takes no parameters.".to_owned(),
        (None, known) => format!(
            "There is an unknown parameter; known here are {}.",
            known.join(", ")
        ),
    };
    Problem::new(Code::UnknownParameter, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Parameters, Problem> {
        Parameters::from_query(
            &format!("/samples?{query}").parse().unwrap(),
            &["format", "num_samples"],
        )
    }

    fn code(query: &str) -> Code {
        read(query).expect_err("must be refused").code
    }

    #[test]
    fn known_parameters_are_read() {
        let parameters = read("format=csv&num_samples=10").unwrap();
        assert_eq!(parameters.get("format"), Some("csv"));
        assert_eq!(parameters.number("num_samples", 1, 10).unwrap(), Some(10));
        assert_eq!(
            read("").unwrap().number("num_samples", 1, 10).unwrap(),
            None
        );
    }

    #[test]
    fn unknown_repeated_and_unreadable_parameters_are_refused() {
        assert_eq!(code("where=x"), Code::UnknownParameter);
        assert!(
            read("num_sample=3")
                .unwrap_err()
                .detail
                .contains("`num_samples`")
        );
        assert_eq!(code("format=csv&format=json"), Code::BadParameter);
    }

    #[test]
    fn numbers_outside_their_bounds_are_refused() {
        for text in [
            "0",
            "11",
            "-1",
            "1.5",
            "",
            "ten",
            "99999999999999999999",
            "%20",
        ] {
            let parameters = read(&format!("num_samples={text}")).unwrap();
            assert_eq!(
                parameters.number("num_samples", 1, 10).unwrap_err().code,
                Code::BadParameter,
                "{text}"
            );
        }
    }
}
