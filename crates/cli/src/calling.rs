//! How a person calls what is here: by a command, or from Python.

/// Where the options of a sentence are named as the person knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calling {
    /// `--max-rows-per-id`.
    CommandLine,
    /// `max_rows_per_id`.
    Python,
}

impl Calling {
    /// The name of an option, which is given as the command line has it without its dashes.
    pub(crate) fn option(self, name: &str) -> String {
        match self {
            Self::CommandLine => format!("--{name}"),
            Self::Python => format!("{}=", name.replace('-', "_")),
        }
    }

    /// An option that is given or not.
    pub(crate) fn flag(self, name: &str) -> String {
        match self {
            Self::CommandLine => self.option(name),
            Self::Python => self.option(name) + "True",
        }
    }

    /// An option that takes several values, with one of them.
    pub(crate) fn given(self, name: &str, value: &str) -> String {
        match self {
            Self::CommandLine => format!("{} {value:?}", self.option(name)),
            Self::Python => format!("{}[{value:?}]", self.option(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_as_the_person_writes_them() {
        let (here, there) = (Calling::CommandLine, Calling::Python);
        assert_eq!(here.option("max-rows-per-id"), "--max-rows-per-id");
        assert_eq!(there.option("max-rows-per-id"), "max_rows_per_id=");
        assert_eq!(here.flag("of-others"), "--of-others");
        assert_eq!(there.flag("of-others"), "of_others=True");
        assert_eq!(here.given("keep", "e mail"), "--keep \"e mail\"");
        assert_eq!(there.given("keep", "e mail"), "keep=[\"e mail\"]");
    }
}
