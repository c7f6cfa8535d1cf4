//! The text of a condition to tests of columns.

use std::ops::Range;

use crate::condition::error::{ConditionProblem, LocatedProblem};

/// One test of one column, as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) column: Literal,
    pub(crate) test: Test,
    /// Where all of it is in the text.
    pub(crate) place: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Equal(Literal),
    NotEqual(Literal),
    Below {
        value: Literal,
        included: bool,
    },
    Above {
        value: Literal,
        included: bool,
    },
    /// Both ends are included.
    Between(Literal, Literal),
    OneOf(Vec<Literal>),
    Missing(bool),
}

/// A name or value, without its quotes, and where it is in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    pub(crate) text: String,
    pub(crate) place: Range<usize>,
}

/// Reads tests joined by `and`.
pub(crate) fn comparisons(text: &str) -> Result<Vec<Comparison>, LocatedProblem> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
    };
    let mut comparisons = vec![parser.comparison()?];
    loop {
        let (token, place) = parser.take();
        match token {
            Token::End => return Ok(comparisons),
            word if word.is("and") => comparisons.push(parser.comparison()?),
            word if word.is("or") => return Err(LocatedProblem::new(place, ConditionProblem::Or)),
            _ => {
                return Err(LocatedProblem::new(
                    place,
                    ConditionProblem::Expected(AFTER_TEST),
                ));
            }
        }
    }
}

const AFTER_TEST: &str = "`and` or the end; a value with spaces or signs in it goes in quotes";
const TEST: &str = "one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `in` and `is`";
const COLUMN: &str = "a column's name";
const VALUE: &str = "a value; a value with spaces or signs in it goes in quotes";

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Without quotes: a name, a value or a word of the grammar.
    Word(String),
    /// In quotes: a name or a value.
    Quoted(String),
    /// `=`, `..`, `[` and the like.
    Sign(&'static str),
    End,
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text.eq_ignore_ascii_case(word))
    }
}

/// Longer ones before those they begin with.
const SIGNS: [&str; 11] = ["!=", "<=", ">=", "==", "..", "=", "<", ">", "[", "]", ","];

fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, LocatedProblem> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let start = at;
        let token = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            at += sign.len();
            Token::Sign(sign)
        } else if matches!(first, '\'' | '"' | '`') {
            let (inside, length) = quoted(rest, first).ok_or_else(|| {
                LocatedProblem::new(start..text.len(), ConditionProblem::OpenQuote)
            })?;
            at += length;
            Token::Quoted(inside)
        } else if is_bare(first) {
            let length = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
            let length = rest[..length].find("..").unwrap_or(length);
            at += length;
            Token::Word(rest[..length].to_owned())
        } else {
            return Err(LocatedProblem::new(
                start..start + first.len_utf8(),
                ConditionProblem::Sign(first),
            ));
        };
        tokens.push((token, start..at));
    }
    tokens.push((Token::End, text.len()..text.len()));
    Ok(tokens)
}

/// Whether a character may be in a name or value without quotes.
fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"=!<>[](),'\"`&|;".contains(c)
}

/// The text between quotes, in which a doubled quote is one, and how many bytes it takes with them.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            inside.push(c);
        } else if chars.next_if(|&(_, next)| next == quote).is_some() {
            inside.push(quote);
        } else {
            return Some((inside, at + 1));
        }
    }
    None
}

struct Parser {
    /// The last one is [`Token::End`].
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
}

impl Parser {
    fn comparison(&mut self) -> Result<Comparison, LocatedProblem> {
        let column = self.written(COLUMN)?;
        let test = self.test()?;
        let end = self.tokens[self.next - 1].1.end;
        Ok(Comparison {
            place: column.place.start..end,
            column,
            test,
        })
    }

    fn test(&mut self) -> Result<Test, LocatedProblem> {
        let (token, place) = self.take();
        Ok(match token {
            Token::Sign("=" | "==") => Test::Equal(self.written(VALUE)?),
            Token::Sign("!=") => Test::NotEqual(self.written(VALUE)?),
            Token::Sign(sign @ ("<" | "<=")) => Test::Below {
                value: self.written(VALUE)?,
                included: sign == "<=",
            },
            Token::Sign(sign @ (">" | ">=")) => Test::Above {
                value: self.written(VALUE)?,
                included: sign == ">=",
            },
            word if word.is("in") => self.set()?,
            word if word.is("is") => {
                let not = self.take_if(|token| token.is("not"));
                self.expect(|token| token.is("missing"), "`missing` or `not missing`")?;
                Test::Missing(!not)
            }
            _ => return Err(LocatedProblem::new(place, ConditionProblem::Expected(TEST))),
        })
    }

    /// Reads the range or list after `in`.
    fn set(&mut self) -> Result<Test, LocatedProblem> {
        if !self.take_if(|token| *token == Token::Sign("[")) {
            let first = self.written("a range such as `30..40`, or a list such as `[a, b]`")?;
            self.expect(
                |token| *token == Token::Sign(".."),
                "`..` and the last value of the range",
            )?;
            return Ok(Test::Between(first, self.written(VALUE)?));
        }
        let mut values = vec![self.written(VALUE)?];
        while self.take_if(|token| *token == Token::Sign(",")) {
            values.push(self.written(VALUE)?);
        }
        self.expect(|token| *token == Token::Sign("]"), "`,` or `]`")?;
        Ok(Test::OneOf(values))
    }

    fn written(&mut self, expected: &'static str) -> Result<Literal, LocatedProblem> {
        let (token, place) = self.take();
        let grammar = ["and", "or", "in", "is"];
        match token {
            Token::Word(text) if !grammar.iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                Ok(Literal { text, place })
            }
            Token::Quoted(text) => Ok(Literal { text, place }),
            _ => Err(LocatedProblem::new(
                place,
                ConditionProblem::Expected(expected),
            )),
        }
    }

    fn expect(
        &mut self,
        wanted: impl Fn(&Token) -> bool,
        expected: &'static str,
    ) -> Result<(), LocatedProblem> {
        match self.take() {
            (token, _) if wanted(&token) => Ok(()),
            (_, place) => Err(LocatedProblem::new(
                place,
                ConditionProblem::Expected(expected),
            )),
        }
    }

    fn take_if(&mut self, wanted: impl Fn(&Token) -> bool) -> bool {
        let found = wanted(&self.tokens[self.next].0);
        self.next += usize::from(found);
        found
    }

    /// The next token; the last one again and again.
    fn take(&mut self) -> (Token, Range<usize>) {
        let taken = self.tokens[self.next].clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        taken
    }
}
