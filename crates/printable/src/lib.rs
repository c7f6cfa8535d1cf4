//! What one party's words may do on another's screen: which characters of foreign text are shown,
//! and how the others are escaped.
//!
//! [`first_hidden`] decides, here alone. A declared name or category with such a character is
//! refused, a discovered one counts as `other`, and whatever a person is shown is [`escaped`].
//!
//! Not shown are:
//! - control characters: C0 (with tab, line feed and return), DEL, C1 such as U+009B, and the line
//!   and paragraph separators U+2028 and U+2029;
//! - characters that turn the direction of writing: the embeddings, overrides, isolates and marks;
//! - characters without a look of their own: soft hyphen, zero-width spaces and joiners, fillers,
//!   variation selectors, tags and the rest of Unicode's Default_Ignorable_Code_Point, and also the
//!   annotation characters U+FFF9 to U+FFFC and the blanks U+2800 and U+1D159;
//! - noncharacters such as U+FFFE.
//!
//! Some of these are part of ordinary spelling, so they are shown where spelling has them:
//! - zero-width joiner and non-joiner after a letter of a script that is written with them (Arabic,
//!   Persian, Syriac, N'Ko, Mongolian, Indic and other Brahmic scripts), as Unicode's identifiers
//!   allow (UAX #31, 2.3), and the joiner between two emoji;
//! - one variation selector after what it varies: an emoji, a Han character, a Mongolian letter.
//!
//! Letters that merely look alike (Latin and Cyrillic `a`) are all shown: every script is welcome.
//!
//! ```
//! use printable::{escaped, first_hidden};
//!
//! let name = "Zoe\u{202e}exe";
//! assert_eq!(first_hidden(name).map(|hidden| hidden.character), Some('\u{202e}'));
//! assert_eq!(escaped(name), r"Zoe\u{202e}exe");
//! assert_eq!(escaped("naïve, 東京"), "naïve, 東京");
//! ```
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;

/// The first character of a text that is not to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// The hidden character itself.
    pub character: char,
    /// Its position among the text's characters, from 1.
    pub position: usize,
    kind: Kind,
}

/// What a character does that is not to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Control,
    Direction,
    Invisible,
    Noncharacter,
}

impl fmt::Display for Hidden {
    /// Such as "U+202E at position 3, which changes the direction of writing", without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let does = match self.kind {
            Kind::Control => "a control character",
            Kind::Direction => "which changes the direction of writing",
            Kind::Invisible => "which is invisible here",
            Kind::Noncharacter => "which Unicode reserves",
        };
        let (code, position) = (u32::from(self.character), self.position);
        write!(f, "U+{code:04X} at position {position}, {does}")
    }
}

/// Finds the first character that is not to be shown, if there is one.
#[must_use]
pub fn first_hidden(text: &str) -> Option<Hidden> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let found = with_neighbours(text).zip(1..).find_map(|(around, at)| {
        let kind = hidden(around)?;
        Some((around.character, at, kind))
    });
    found.map(|(character, position, kind)| Hidden {
        character,
        position,
        kind,
    })
}

/// The same for a whole file, in which tabs, line ends and a byte order mark at its beginning are
/// in order; with the number of the line, from 1, within which the position counts.
#[must_use]
pub fn first_hidden_in_lines(text: &str) -> Option<(usize, Hidden)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.split('\n')).find_map(|(number, line)| {
        let line = line.strip_suffix('\r').unwrap_or(line).replace('\t', " ");
        Some((number, first_hidden(&line)?))
    })
}

/// The text on one line: each character that is not to be shown becomes `\u{..}`, a line feed `\n`.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    escaped_but(text, &[])
}

/// As [`escaped`], but line feeds and tabs stay: for a whole file that a person reads.
#[must_use]
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    escaped_but(text, &['\n', '\t'])
}

/// The same JSON value, with `\uXXXX` for every character that a terminal might obey or hide.
///
/// The neighbours of a character do not matter here: what reads JSON sees the same text either way.
#[must_use]
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    // Outside of strings JSON has no other such character than the white space of its layout.
    let kept = |c: char| matches!(c, '\n' | '\r' | '\t') || kind(c).is_none();
    if json.chars().all(kept) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if kept(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Cow::Owned(out)
}

fn escaped_but<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let shown = |around: Around| kept.contains(&around.character) || hidden(around).is_none();
    if with_neighbours(text).all(shown) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for around in with_neighbours(text) {
        match around.character {
            c if shown(around) => out.push(c),
            '\n' => out.push_str("\\n"),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// A character and its neighbours, on which depends whether it is part of a word's spelling.
#[derive(Clone, Copy)]
struct Around {
    before: Option<char>,
    character: char,
    after: Option<char>,
}

fn with_neighbours(text: &str) -> impl Iterator<Item = Around> {
    let mut before = None;
    let mut rest = text.chars();
    std::iter::from_fn(move || {
        let character = rest.next()?;
        let after = rest.clone().next();
        let around = Around {
            before,
            character,
            after,
        };
        before = Some(character);
        Some(around)
    })
}

/// Why this character is not to be shown, unless spelling has it between these neighbours.
fn hidden(around: Around) -> Option<Kind> {
    kind(around.character).filter(|_| !is_spelling(around))
}

/// What a character does, wherever it is.
fn kind(c: char) -> Option<Kind> {
    match c {
        _ if c.is_control() => Some(Kind::Control),
        '\u{2028}' | '\u{2029}' => Some(Kind::Control),
        // Bidi_Control of PropList.txt.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(Kind::Direction)
        }
        // Default_Ignorable_Code_Point of DerivedCoreProperties.txt (Unicode 17), whose code points
        // are reserved for this beforehand, so that the list seldom changes.
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Some(Kind::Invisible),
        // Annotations and blanks, which that list lacks.
        '\u{fff9}'..='\u{fffc}' | '\u{2800}' | '\u{1d159}' => Some(Kind::Invisible),
        '\u{fdd0}'..='\u{fdef}' => Some(Kind::Noncharacter),
        _ if u32::from(c) & 0xfffe == 0xfffe => Some(Kind::Noncharacter),
        _ => None,
    }
}

fn is_spelling(around: Around) -> bool {
    let Around {
        before: Some(before),
        character,
        after,
    } = around
    else {
        return false;
    };
    match character {
        '\u{200c}' => is_of_joined_script(before),
        '\u{200d}' => {
            // An emoji may be followed by its selector first.
            let emoji = is_emoji(before) || before == '\u{fe0f}';
            is_of_joined_script(before) || emoji && after.is_some_and(is_emoji)
        }
        // A digit is an emoji only as a keycap.
        '\u{fe0e}' | '\u{fe0f}' => {
            is_emoji(before) || matches!(before, '0'..='9' | '#' | '*') && after == Some('\u{20e3}')
        }
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => is_han(before),
        '\u{180b}'..='\u{180f}' => matches!(before, '\u{1820}'..='\u{18aa}'),
        _ => false,
    }
}

/// Letters and signs of the scripts whose spelling has joiners. By blocks: what else is in them
/// (digits aside) is of the same script, and a joiner there deceives nobody.
fn is_of_joined_script(c: char) -> bool {
    let cursive = matches!(c,
        '\u{620}'..='\u{74f}' | '\u{750}'..='\u{77f}' | '\u{7ca}'..='\u{7fa}'
        | '\u{840}'..='\u{88f}' | '\u{8a0}'..='\u{8ff}' | '\u{1820}'..='\u{18aa}'
        | '\u{10ac0}'..='\u{10aef}' | '\u{10d00}'..='\u{10d2f}' | '\u{1e900}'..='\u{1e94b}');
    let brahmic = matches!(c,
        '\u{900}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17d3}'
        | '\u{1a20}'..='\u{1aaf}' | '\u{1b00}'..='\u{1b7f}' | '\u{a880}'..='\u{a8ff}'
        | '\u{a980}'..='\u{a9df}' | '\u{11000}'..='\u{11fff}');
    (cursive || brahmic) && !c.is_numeric() && kind(c).is_none()
}

/// Characters that have an emoji form, by the blocks they are in.
fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}'
        | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}'
        | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

fn is_han(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hides(text: &str) -> Option<(char, usize)> {
        first_hidden(text).map(|hidden| (hidden.character, hidden.position))
    }

    #[test]
    fn ordinary_text_of_every_script_is_shown() {
        for text in [
            "",
            "low, \"med\" & <high>",
            "Größe, naïve, Łódź",
            "身長 東京都 カタカナ 한국어",
            "Ελληνικά Кириллица עברית العربية",
            // Persian, Hijri years, Malayalam, Sinhala, Bengali and Devanagari with joiners.
            "می\u{200c}خواهم",
            "ه\u{200d}",
            "ന\u{d4d}\u{200d}",
            "ශ\u{dca}\u{200d}ර\u{dd3}",
            "র\u{200d}্যাব",
            "क\u{94d}\u{200c}ष",
            // A family, a heart, a keycap, a skin tone at work, a pirate's flag.
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} 1\u{fe0f}\u{20e3} 👩🏽\u{200d}⚕\u{fe0f} \
             🏴\u{200d}☠\u{fe0f}",
            "❤\u{fe0f}\u{200d}🔥",
            // A Han character in the form that a family name asks for, and a Mongolian variant.
            "葛\u{e0100}飾",
            "ᠠ\u{180b}",
            "1\u{a0}000 km², 3\u{202f}%, 全\u{3000}角",
            "U+FFFD \u{fffd} is what broken text is shown as",
        ] {
            assert_eq!(hides(text), None, "{text:?}");
            assert_eq!(escaped(text), text);
        }
    }

    #[test]
    fn what_moves_turns_or_hides_is_found_where_it_stands() {
        for (text, found) in [
            ("a\tb", ('\t', 2)),
            ("a\nb", ('\n', 2)),
            ("\u{1b}[2J", ('\u{1b}', 1)),
            ("\u{7f}", ('\u{7f}', 1)),
            ("ä\u{9b}31m", ('\u{9b}', 2)),
            ("a\u{2028}b", ('\u{2028}', 2)),
            ("abc\u{202e}", ('\u{202e}', 4)),
            ("\u{2067}x\u{2069}", ('\u{2067}', 1)),
            ("א\u{200f}ב", ('\u{200f}', 2)),
            ("pass\u{ad}word", ('\u{ad}', 5)),
            ("a\u{200b}b", ('\u{200b}', 2)),
            ("\u{feff}id", ('\u{feff}', 1)),
            ("\u{3164}", ('\u{3164}', 1)),
            ("a\u{e0041}", ('\u{e0041}', 2)),
            ("\u{2800}", ('\u{2800}', 1)),
            ("\u{fffe}", ('\u{fffe}', 1)),
            ("\u{10ffff}", ('\u{10ffff}', 1)),
            ("\u{fdd0}", ('\u{fdd0}', 1)),
        ] {
            assert_eq!(hides(text), Some(found), "{text:?}");
        }
    }

    #[test]
    fn joiners_and_selectors_are_found_where_spelling_has_none() {
        for text in [
            "lo\u{200d}w",
            "\u{200c}می",
            "می\u{200c}\u{200c}خواهم",
            "क\u{200d}\u{200d}",
            "٣\u{200c}",
            "👩\u{200d}",
            "👩\u{200d}a",
            "a\u{fe0f}",
            "1\u{fe0f}",
            "❤\u{fe0f}\u{fe0f}",
            "a\u{e0100}",
            "葛\u{e0100}\u{e0101}",
            "葛\u{fe0f}",
            "a\u{180b}",
        ] {
            assert!(hides(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn a_person_sees_the_code_of_what_is_not_shown() {
        assert_eq!(
            escaped("epsilon: 30\r\u{1b}[A\nepsilon: 3\u{202e}"),
            "epsilon: 30\\u{d}\\u{1b}[A\\nepsilon: 3\\u{202e}"
        );
        assert_eq!(escaped_lines("a:\n\tb\r\u{9b}\n"), "a:\n\tb\\u{d}\\u{9b}\n");
        assert_eq!(
            first_hidden("ab\u{202e}").unwrap().to_string(),
            "U+202E at position 3, which changes the direction of writing"
        );
    }

    #[test]
    fn a_file_has_tabs_and_line_ends_and_nothing_else_of_the_kind() {
        let at = |text| first_hidden_in_lines(text).map(|(line, hidden)| (line, hidden.position));
        assert_eq!(at("\u{feff}a:\r\n\tb: می\u{200c}خواهم\n"), None);
        assert_eq!(at("a: 1\nb: \t\u{202e}2\n"), Some((2, 5)));
        assert_eq!(at("a: 1\rb: 2\n"), Some((1, 5)));
        assert_eq!(at("a\n\u{feff}"), Some((2, 1)));
    }

    #[test]
    fn json_keeps_its_value_and_says_every_hidden_character_in_ascii() {
        let json = "{\n  \"a\u{9b}\": \"\u{202e}\u{e0041}می\u{200c}\\u0000 é\"\n}";
        assert_eq!(
            escaped_json(json),
            "{\n  \"a\\u009b\": \"\\u202e\\udb40\\udc41می\\u200c\\u0000 é\"\n}"
        );
        assert!(matches!(escaped_json("{\"a\": 1}\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn nothing_hidden_is_left_by_any_escaping() {
        for c in ('\0'..=char::MAX).filter(|c| kind(*c).is_some()) {
            let text = format!("a{c}b");
            assert_eq!(first_hidden(&escaped(&text)), None, "{c:?}");
            assert_eq!(first_hidden(&text).map(|hidden| hidden.position), Some(2));
        }
    }
}
