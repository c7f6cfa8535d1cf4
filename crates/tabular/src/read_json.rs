//! JSON to codes, streaming: one object for each row, one after the other or in an array.

use std::collections::{HashMap, VecDeque};
use std::io::Read;

use schema::Schema;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::account::Account;
use crate::codes::Wiped;
use crate::error::{ColumnRef, RecordPosition, TableError};
use crate::field::check_field;
use crate::ids::KeyHasher;
use crate::read_limits::ReadLimits;
use crate::read_options::{ReadAs, TableFormat};
use crate::source::Source;
use crate::text::Text;
use crate::upload::{Intake, Target, Upload};

const BUFFER: usize = 1 << 16;
/// Programs leave out what is null: columns are the fields of the objects that fit in here, and of
/// the first whatever its length is.
const LOOKED_AHEAD: usize = 1 << 16;

/// Room for these objects: a buffer that has grown may be twice as long as what is in it. The last
/// of them may be longer, as any record, for which the source has made room.
const AHEAD_BYTES: u64 = 2 * LOOKED_AHEAD as u64;
/// A name that fewer objects have, and not all, tells of those that have it.
const FEW_OBJECTS: u32 = 20;

/// Whether a text begins as JSON of a table does: an object, or an array of objects.
pub(crate) fn is_json(start: &[u8]) -> bool {
    let is = |mark: u8, next: &[u8]| match start.trim_ascii_start().split_first() {
        Some((first, rest)) if *first == mark => {
            let rest = rest.trim_ascii_start().first();
            rest.is_some_and(|byte| next.contains(byte))
        }
        _ => false,
    };
    is(b'{', b"\"}") || is(b'[', b"{]")
}

/// Whether so much of the text is enough to say so.
pub(crate) fn tells(start: &[u8]) -> bool {
    match start.trim_ascii_start().split_first() {
        Some((b'{' | b'[', rest)) => !rest.trim_ascii_start().is_empty(),
        Some(_) => true,
        None => false,
    }
}

/// Reads JSON that was found out to be that.
pub(crate) fn read_text(
    text: Text<'_>,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
    account: &Account,
) -> Result<Upload, TableError> {
    let (packing, encoding) = (text.packing, text.encoding);
    let mut objects = Objects {
        source: Source::new(text.bytes, limits, account)?,
        buffer: Zeroizing::new(vec![0; BUFFER]),
        at: 0,
        end: 0,
        taken: 0,
        line: 1,
        begun: false,
        array: false,
        ended: false,
        object: Wiped::new(),
        object_line: 1,
        ahead: VecDeque::new(),
    };
    let mut row = Row::default();
    account.take(AHEAD_BYTES)?;
    objects.look_ahead(&mut row)?;
    if !objects.next()? {
        return Err(TableError::EmptyFile);
    }
    row.take(&objects, false)?;
    let names: Vec<String> = row
        .names
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    let at = RecordPosition::Line;
    let mut intake = Intake::new(&names, at, key, schema, hasher, limits, account)?;
    let targets = intake.targets.clone();
    let mut rows = 0;
    let mut having = vec![0_u32; names.len()];
    loop {
        intake.begin_row(rows)?;
        for (count, given) in having.iter_mut().zip(&row.given) {
            *count += u32::from(*given);
        }
        for ((&target, field), name) in targets.iter().zip(&row.fields).zip(&names) {
            let column = || ColumnRef::Name(name.clone());
            check_field(field, at(objects.object_line), column, limits)?;
            intake.push(target, field, objects.object_line)?;
        }
        rows += 1;
        if !objects.next()? {
            break;
        }
        row.take(&objects, false)?;
    }
    let read_as = ReadAs {
        format: match objects.array {
            true => TableFormat::JsonArray,
            false => TableFormat::JsonLines,
        },
        packing,
        encoding,
    };
    drop(objects);
    account.give(AHEAD_BYTES);
    for ((name, &objects), &target) in names.iter().zip(&having).zip(&targets) {
        let is_public = schema.is_some_and(|schema| schema.position(name).is_some());
        if objects == rows || target == Target::Nowhere {
            continue;
        }
        if objects < FEW_OBJECTS && target != Target::Key && !is_public {
            let name = name.clone();
            return Err(TableError::JsonRareField {
                name,
                objects,
                rows,
            });
        }
        let without = rows - objects;
        intake.warn(format!(
            "{without} of {rows} objects have no field `{name}`, which counts as empty in them"
        ));
    }
    intake.finish(rows, read_as)
}

/// The objects of a text, one by one: no more than one is in memory.
struct Objects<'a> {
    source: Source<'a>,
    buffer: Zeroizing<Vec<u8>>,
    at: usize,
    end: usize,
    /// Bytes before the buffer.
    taken: u64,
    /// Line of the byte at `at`, from 1.
    line: u64,
    /// Something other than white space has come.
    begun: bool,
    array: bool,
    /// The array was closed.
    ended: bool,
    object: Wiped<u8>,
    object_line: u64,
    /// Objects that were read before their turn, with their lines.
    ahead: VecDeque<(Wiped<u8>, u64)>,
}

impl Objects<'_> {
    /// Reads the first objects, for the names of their fields; they still come one by one.
    fn look_ahead(&mut self, row: &mut Row) -> Result<(), TableError> {
        let (mut ahead, mut bytes) = (VecDeque::new(), 0);
        while bytes < LOOKED_AHEAD && self.next()? {
            row.take(self, true)?;
            let object = std::mem::replace(&mut self.object, Wiped::new());
            // What an object of few bytes takes besides them.
            bytes += object.as_slice().len() + size_of::<(Wiped<u8>, u64)>();
            ahead.push_back((object, self.object_line));
        }
        row.looked_at = ahead.len();
        self.ahead = ahead;
        Ok(())
    }

    /// The byte that comes next, and stays.
    fn peek(&mut self) -> Result<Option<u8>, TableError> {
        if self.at == self.end {
            self.taken += self.end as u64;
            (self.at, self.end) = (0, 0);
            let read = self.source.read(&mut self.buffer);
            self.end = read.map_err(|error| self.source.refusal(error, self.line))?;
            if self.end == 0 {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.at]))
    }

    fn pass(&mut self) {
        self.line += u64::from(self.buffer[self.at] == b'\n');
        self.at += 1;
    }

    fn skip_space(&mut self) -> Result<Option<u8>, TableError> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.pass(),
                other => return Ok(other),
            }
        }
    }

    /// Takes the next object in; false at the end.
    fn next(&mut self) -> Result<bool, TableError> {
        if let Some((object, line)) = self.ahead.pop_front() {
            (self.object, self.object_line) = (object, line);
            return Ok(true);
        }
        let mut first = false;
        if !self.begun {
            (self.begun, first) = (true, true);
            if self.skip_space()? == Some(b'[') {
                self.array = true;
                self.pass();
            }
        }
        let mut byte = self.skip_space()?;
        if self.array && !self.ended {
            match byte {
                Some(b']') => {
                    self.pass();
                    self.ended = true;
                    byte = self.skip_space()?;
                }
                Some(b',') if !first => {
                    self.pass();
                    byte = self.skip_space()?;
                }
                Some(_) if first => {}
                Some(_) => return Err(self.fault("a comma is missing between two objects")),
                None => return Err(self.fault("the array is not closed; was the file cut off?")),
            }
        }
        match byte {
            None => Ok(false),
            Some(b'{') if !self.ended => self.take_object().map(|()| true),
            Some(_) if self.ended => Err(self.fault("something follows the end of the array")),
            Some(_) => {
                let what = "a row is an object, which begins with `{`; something else is here";
                Err(self.fault(what))
            }
        }
    }

    fn take_object(&mut self) -> Result<(), TableError> {
        self.object.clear();
        self.object_line = self.line;
        self.source.begin_record(self.taken + self.at as u64);
        let mut state = Nesting::default();
        while !state.closed {
            if self.peek()?.is_none() {
                self.line = self.object_line;
                return Err(self.fault("the object is not closed; was the file cut off?"));
            }
            let rest = &self.buffer[self.at..self.end];
            let length = state.after(rest);
            self.object.extend_from_slice(&rest[..length]);
            let feeds = rest[..length].iter().filter(|byte| **byte == b'\n');
            self.line += feeds.count() as u64;
            self.at += length;
        }
        Ok(())
    }

    fn fault(&self, what: &str) -> TableError {
        TableError::Json {
            line: self.line,
            what: what.to_owned(),
        }
    }
}

/// How many braces and brackets are open.
#[derive(Default)]
struct Nesting {
    open: u64,
    quoted: bool,
    escaped: bool,
    closed: bool,
}

impl Nesting {
    /// How many of these bytes belong to the object.
    fn after(&mut self, bytes: &[u8]) -> usize {
        for (i, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => {}
                b'{' | b'[' => self.open += 1,
                b'}' | b']' => {
                    // The first byte opens the object, so that this is never below zero.
                    self.open -= 1;
                    if self.open == 0 {
                        self.closed = true;
                        return i + 1;
                    }
                }
                _ => {}
            }
        }
        bytes.len()
    }
}

/// The fields of one object, in the order in which they first came.
#[derive(Default)]
struct Row {
    names: Vec<String>,
    positions: HashMap<String, usize>,
    fields: Vec<Zeroizing<Vec<u8>>>,
    given: Vec<bool>,
    /// How many objects the names are from.
    looked_at: usize,
}

impl Row {
    /// Takes an object in; the first ones say what the columns are.
    fn take(&mut self, objects: &Objects<'_>, first: bool) -> Result<(), TableError> {
        for field in &mut self.fields {
            field.clear();
        }
        self.given.fill(false);
        let line = objects.object_line;
        let mut refusal = None;
        let fields = Fields {
            row: self,
            line,
            first,
            refusal: &mut refusal,
        };
        let mut reader = serde_json::Deserializer::from_slice(objects.object.as_slice());
        let read = reader.deserialize_map(fields);
        read.map_err(|error| {
            refusal.unwrap_or_else(|| TableError::Json {
                // Lines of the object are counted from where it starts.
                line: line + (error.line() as u64).saturating_sub(1),
                what: format!("this is not JSON: {}", without_place(&error.to_string())),
            })
        })
    }

    /// Where the field of this name goes; mostly it is the `next`.
    fn position(&self, name: &str, next: usize) -> Option<usize> {
        let expected = self.names.get(next).filter(|known| *known == name);
        let expected = expected.map(|_| next);
        expected.or_else(|| self.positions.get(name).copied())
    }

    fn add(&mut self, name: &str) -> usize {
        let position = self.names.len();
        self.names.push(name.to_owned());
        self.positions.insert(name.to_owned(), position);
        self.fields.push(Zeroizing::new(Vec::new()));
        self.given.push(false);
        position
    }
}

/// serde_json's sentences end with a line and column within the object.
fn without_place(text: &str) -> &str {
    text.split_once(" at line ").map_or(text, |(what, _)| what)
}

/// Reads the fields of an object into a row.
struct Fields<'r> {
    row: &'r mut Row,
    line: u64,
    first: bool,
    /// What is wrong, where it is more than a fault of the syntax.
    refusal: &'r mut Option<TableError>,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let mut next = 0;
        while let Some(position) = object.next_key_seed(Name(&mut self, next))? {
            let value: &RawValue = object.next_value()?;
            if let Err(refusal) = self.take(position, value.get()) {
                return Err(self.refuse(refusal));
            }
            next = position + 1;
        }
        Ok(())
    }
}

impl Fields<'_> {
    fn refuse<E: Error>(&mut self, refusal: TableError) -> E {
        *self.refusal = Some(refusal);
        E::custom("the row is refused")
    }

    fn place<E: Error>(&mut self, name: &str, next: usize) -> Result<usize, E> {
        let line = self.line;
        match self.row.position(name, next) {
            Some(position) if self.row.given[position] => Err(self.refuse(TableError::Json {
                line,
                what: format!("the field `{name}` comes twice in one object"),
            })),
            Some(position) => Ok(position),
            None if self.first => Ok(self.row.add(name)),
            None => {
                let (name, looked_at) = (name.to_owned(), self.row.looked_at);
                Err(self.refuse(TableError::JsonUnknownField {
                    line,
                    name,
                    looked_at,
                }))
            }
        }
    }

    /// A value as the text that it would be in CSV.
    fn take(&mut self, position: usize, value: &str) -> Result<(), TableError> {
        self.row.given[position] = true;
        let field = &mut self.row.fields[position];
        match value.as_bytes() {
            [b'{' | b'[', ..] => Err(TableError::JsonNested {
                line: self.line,
                name: self.row.names[position].clone(),
            }),
            b"null" => Ok(()),
            [b'"', text @ .., b'"'] if !text.contains(&b'\\') => {
                field.extend_from_slice(text);
                Ok(())
            }
            [b'"', ..] => {
                let text = serde_json::from_str(value).map(Zeroizing::new);
                let text: Zeroizing<String> = text.map_err(|_| TableError::Json {
                    line: self.line,
                    what: "a text has an escape that stands for no character".to_owned(),
                })?;
                field.extend_from_slice(text.as_bytes());
                Ok(())
            }
            other => {
                field.extend_from_slice(other);
                Ok(())
            }
        }
    }
}

/// The name of a field, read to its position.
struct Name<'f, 'r>(&'f mut Fields<'r>, usize);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<usize, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let Self(fields, next) = self;
        fields.place(name, next)
    }
}
