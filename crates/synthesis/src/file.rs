//! The file of a model: magic, version, length and checksum of the body, and the body in CBOR.

use std::io::{self, Write};

use crate::Model;
use crate::body::Body;
use crate::checksum::crc64;

const MAGIC: &[u8] = b"synclave model\n";
/// Raised whenever the body changes. Format 3 says what public data the fit started from, format 4
/// how the values of columns are written, format 5 which columns are of new identifiers; format 6
/// has copulas and networks.
const VERSION: u16 = 6;
/// The oldest that is read: format 1 did not say where the columns' domain came from.
const OLDEST: u16 = 2;
/// Magic, version, length of the body, checksum of the body; numbers are big-endian.
const HEADER: usize = MAGIC.len() + 2 + 8 + 8;

/// Why a file is not a usable model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// It begins with something else.
    #[error("this is not a file of a synclave model")]
    NotAModel,
    /// It was written by an older program, which did not say where the columns' domain came from.
    #[error(
        "the model is of format {found}, which does not say whether its columns were taken from \
         the data, and this program reads formats {OLDEST} to {VERSION}: fit it again, or use the \
         program that made it"
    )]
    Older {
        /// Format number in the file.
        found: u16,
    },
    /// It was written by a newer program.
    #[error(
        "the model is of format {found}, and this program reads formats {OLDEST} to {VERSION}: use \
         a newer program"
    )]
    Newer {
        /// Format number in the file.
        found: u16,
    },
    /// It ends too early.
    #[error("the model's file is cut off: it has {found} of {expected} bytes")]
    Truncated {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// Something in it is wrong.
    #[error("the model's file is damaged: {0}")]
    Damaged(String),
}

impl Model {
    /// No file of a model is longer: of the largest tree that a model may have, each cell takes at
    /// most nine bytes.
    pub const MAX_FILE_BYTES: u64 = 2 << 30;

    /// Whether this begins as the file of a model does.
    #[must_use]
    pub fn is_model(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of the output.
    pub fn save(&self, mut out: impl Write) -> io::Result<()> {
        // Into memory first: the header has the body's length and checksum.
        let bytes = self.generator.body(self)?;
        out.write_all(&header_of(&bytes))?;
        out.write_all(&bytes)?;
        out.flush()
    }

    /// Reads the bytes of a file. The model is the one that was saved, to the last bit.
    ///
    /// The file may come from anyone. What does not hold together is refused, and no file takes
    /// more time and memory, here or when rows are drawn from it, than its length and fixed limits
    /// allow. The ledger's sums are checked; that they are *true* is what a receipt with evidence
    /// is for.
    ///
    /// # Errors
    /// If it is not a model, of a newer format, cut off or damaged.
    pub fn load(bytes: &[u8]) -> Result<Model, ModelFileError> {
        Self::load_body(body_of(bytes)?)
    }

    /// Reads what comes after the header of a file. [`Model::load`] is this after the checksum,
    /// which guards against accidents and keeps nobody from writing another file.
    ///
    /// # Errors
    /// [`ModelFileError::Damaged`].
    pub fn load_body(body: &[u8]) -> Result<Model, ModelFileError> {
        let mut rest = body;
        let body: Body = ciborium::from_reader(&mut rest)
            .map_err(|error| ModelFileError::Damaged(reason(&error)))?;
        // Else the same model would have many files, of as many hashes.
        if !rest.is_empty() {
            return Err(ModelFileError::Damaged(
                "something follows its body".to_owned(),
            ));
        }
        body.into_model().map_err(ModelFileError::Damaged)
    }
}

fn header_of(body: &[u8]) -> Vec<u8> {
    let (length, checksum) = (body.len() as u64, crc64(body));
    let header = [
        MAGIC,
        &VERSION.to_be_bytes(),
        &length.to_be_bytes(),
        &checksum.to_be_bytes(),
    ];
    header.concat()
}

/// A file with a valid header around any body.
#[cfg(test)]
pub(crate) fn with_header(body: &[u8]) -> Vec<u8> {
    [header_of(body).as_slice(), body].concat()
}

/// What the header says of the body.
struct Header {
    length: u64,
    checksum: u64,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, ModelFileError> {
        // A file that is cut off within the magic is told as cut off, not as another kind of file.
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        if start.is_empty() || !MAGIC.starts_with(start) {
            return Err(ModelFileError::NotAModel);
        }
        let version = bytes[start.len()..]
            .first_chunk::<2>()
            .ok_or(cut_off(bytes, HEADER as u64))?;
        let version = u16::from_be_bytes(*version);
        if version > VERSION {
            return Err(ModelFileError::Newer { found: version });
        }
        if version < OLDEST {
            return Err(ModelFileError::Older { found: version });
        }
        let number = |at: usize| {
            let number = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>);
            let number = number.ok_or(cut_off(bytes, HEADER as u64))?;
            Ok(u64::from_be_bytes(*number))
        };
        Ok(Header {
            length: number(MAGIC.len() + 2)?,
            checksum: number(MAGIC.len() + 10)?,
        })
    }
}

fn cut_off(bytes: &[u8], expected: u64) -> ModelFileError {
    ModelFileError::Truncated {
        found: bytes.len() as u64,
        expected,
    }
}

/// The body, of the stated length and checksum.
pub(crate) fn body_of(bytes: &[u8]) -> Result<&[u8], ModelFileError> {
    let Header { length, checksum } = Header::read(bytes)?;
    let body = &bytes[HEADER..];
    if (body.len() as u64) < length {
        return Err(cut_off(bytes, (HEADER as u64).saturating_add(length)));
    }
    if body.len() as u64 > length || crc64(body) != checksum {
        return Err(ModelFileError::Damaged("its checksum is wrong".to_owned()));
    }
    Ok(body)
}

fn reason(error: &ciborium::de::Error<io::Error>) -> String {
    match error {
        ciborium::de::Error::Semantic(_, message) => message.clone(),
        _ => "its body is not CBOR".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use ciborium::Value;
    use privacy::{Accounting, Delta, DomainSource, Epsilon, Ledger, LedgerOptions, Prior};
    use schema::{Declaration, Schema};
    use serde_json::Map;
    use tabular::{CodedTable, Joined, KeyHasher, ReadLimits, read_csv};

    use super::*;
    use crate::Method;
    use crate::common::{PAIRS, fit, quick};

    fn model(method: Method) -> Model {
        let yaml = "a: {categories: [x, y, z]}\nid: {identifier: {format: 'P-####'}}\nb: \
                    {integer: {min: 0, max: 59}}\nc: {categories: [no, yes], nullable: true}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let columns: Vec<Vec<u32>> = [3, 20, 3]
            .map(|size| (0..500_u32).map(|row| row * row % 97 % size).collect())
            .into();
        let table = CodedTable::from_codes(schema, &columns).unwrap();
        let mut ledger = Ledger::open(LedgerOptions::new(
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-6).unwrap(),
            Accounting::Zcdp,
        ))
        .unwrap();
        let mut go_on = |_| ControlFlow::Continue(());
        fit(
            &table,
            method,
            &quick(method),
            PAIRS,
            &mut ledger,
            &mut testkit::noise(3),
            &mut go_on,
        )
        .unwrap()
    }

    fn saved(model: &Model) -> Vec<u8> {
        let mut bytes = Vec::new();
        model.save(&mut bytes).unwrap();
        bytes
    }

    fn rows(model: &Model) -> Vec<u8> {
        let mut text = Vec::new();
        model.sample(1000, Some(1)).write_csv(&mut text).unwrap();
        text
    }

    fn refusal(bytes: &[u8]) -> String {
        Model::load(bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_model_comes_back_to_the_last_bit() {
        for method in [
            Method::Independent,
            Method::Mst,
            Method::Aim,
            Method::Mwem,
            Method::Grain,
            Method::Copula,
            Method::Dpctgan,
            Method::Patectgan,
        ] {
            let model = model(method);
            let bytes = saved(&model);
            let back = Model::load(&bytes).unwrap();
            assert_eq!(saved(&back), bytes);
            assert!(
                rows(&back) == rows(&model),
                "the same seed gives the same rows"
            );
            assert_eq!(
                (back.schema(), back.method(), back.ledger()),
                (model.schema(), method, model.ledger())
            );
            assert_eq!(back.report(), model.report());
            assert!(Model::is_model(&bytes));
        }
    }

    #[test]
    fn what_is_cut_off_is_refused_at_every_length() {
        let bytes = saved(&model(Method::Mst));
        for length in 0..bytes.len() {
            let error = Model::load(&bytes[..length]).unwrap_err();
            match length {
                0 => assert_eq!(error, ModelFileError::NotAModel),
                _ => assert!(
                    matches!(error, ModelFileError::Truncated { .. }),
                    "{length}: {error}"
                ),
            }
        }
        let error = refusal(&bytes[..100]);
        assert_eq!(
            error,
            format!(
                "the model's file is cut off: it has 100 of {} bytes",
                bytes.len()
            )
        );
    }

    #[test]
    fn a_changed_or_added_byte_is_noticed() {
        let bytes = saved(&model(Method::Independent));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(Model::load(&changed).is_err(), "byte {at}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(
            refusal(&longer),
            "the model's file is damaged: its checksum is wrong"
        );
    }

    #[test]
    fn other_files_and_other_formats_are_told_apart() {
        assert_eq!(
            refusal(b"PK\x03\x04 something else"),
            "this is not a file of a synclave model"
        );
        let mut bytes = saved(&model(Method::Independent));
        bytes[MAGIC.len() + 1] = 9;
        let newer =
            "the model is of format 9, and this program reads formats 2 to 6: use a newer program";
        assert_eq!(refusal(&bytes), newer);
        bytes[MAGIC.len() + 1] = 1;
        assert_eq!(
            refusal(&bytes),
            "the model is of format 1, which does not say whether its columns were taken from the \
             data, and this program reads formats 2 to 6: fit it again, or use the program that \
             made it"
        );
    }

    /// The file of a GRAIN model that a program of this format wrote.
    fn golden(format: u16) -> String {
        format!("tests/models/format-{format}.model")
    }

    #[test]
    fn files_of_every_format_since_the_second_are_read_and_rows_are_drawn_from_them() {
        // Raising `VERSION` leaves a file of the new format, which then stays as it is.
        if !std::path::Path::new(&golden(VERSION)).exists() {
            std::fs::write(golden(VERSION), saved(&model(Method::Grain))).unwrap();
        }
        for (format, prior) in [
            (2, &Prior::NotRecorded),
            (3, &Prior::None),
            (4, &Prior::None),
            (5, &Prior::None),
            (6, &Prior::None),
        ] {
            let bytes = std::fs::read(golden(format)).unwrap();
            assert_eq!(bytes[MAGIC.len()..][..2], format.to_be_bytes());
            let model = Model::load(&bytes).unwrap();
            assert_eq!(model.prior(), prior, "format {format}");
            assert_eq!(rows(&model).iter().filter(|&&b| b == b'\n').count(), 1001);
            let again = saved(&model);
            assert_eq!(again[MAGIC.len()..][..2], VERSION.to_be_bytes());
            assert_eq!(fields(&again), fields(&bytes), "format {format}");
        }
    }

    /// What a file says, but for the kind of model, which files of format 2 do not tell.
    fn fields(file: &[u8]) -> Vec<(Value, Value)> {
        let body: Value = ciborium::from_reader(body_of(file).unwrap()).unwrap();
        let mut fields = body.into_map().unwrap();
        fields.retain(|(key, _)| key.as_text() != Some("kind"));
        fields
    }

    /// A file with a valid header around a changed body.
    fn forged(change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
        let bytes = saved(&model(Method::Mst));
        let mut body: Value = ciborium::from_reader(body_of(&bytes).unwrap()).unwrap();
        change(body.as_map_mut().unwrap());
        let mut changed = Vec::new();
        ciborium::into_writer(&body, &mut changed).unwrap();
        with_header(&changed)
    }

    fn field<'a>(body: &'a mut [(Value, Value)], name: &str) -> &'a mut Value {
        &mut body
            .iter_mut()
            .find(|(key, _)| key.as_text() == Some(name))
            .unwrap()
            .1
    }

    #[test]
    fn bodies_that_do_not_hold_together_are_refused() {
        assert!(Model::load(&forged(|_| ())).is_ok());
        type Change = fn(&mut Vec<(Value, Value)>);
        let cases: [(&str, Change); 10] = [
            ("unknown variant `flow`", |body| {
                *field(body, "kind") = Value::from("flow")
            }),
            ("missing field `total`", |body| {
                body.retain(|(key, _)| key.as_text() != Some("total"))
            }),
            ("unknown field `extra`", |body| {
                body.push((Value::from("extra"), Value::from(1)))
            }),
            ("its number of rows", |body| {
                *field(body, "total") = Value::from(-1.0)
            }),
            ("not those of a junction tree", |body| {
                drop(field(body, "potentials").as_array_mut().unwrap().pop())
            }),
            ("compressed columns", |body| {
                drop(field(body, "compressions").as_array_mut().unwrap().pop())
            }),
            ("cells, but", |body| {
                let potentials = field(body, "potentials").as_array_mut().unwrap();
                drop(
                    potentials[0].as_array_mut().unwrap()[1]
                        .as_array_mut()
                        .unwrap()
                        .pop(),
                );
            }),
            ("does not fit its schema", |body| {
                let measured = field(body, "measured").as_array_mut().unwrap();
                *field(measured[0].as_map_mut().unwrap(), "sigma") = Value::from(0.0);
            }),
            ("not in its tables", |body| {
                let size = |compression: &mut Value| {
                    let compression = compression.as_map_mut().unwrap();
                    let kept = field(compression, "kept").as_array().unwrap().len();
                    kept + usize::from(!field(compression, "rare").as_array().unwrap().is_empty())
                };
                let cells: usize = field(body, "compressions")
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .map(size)
                    .product();
                let measured = field(body, "measured").as_array_mut().unwrap();
                let all = Value::Array([0, 1, 2].map(Value::from).into());
                let last = measured.last_mut().unwrap().as_map_mut().unwrap();
                *field(last, "columns") = all;
                *field(last, "values") = Value::Array(vec![Value::from(0); cells]);
            }),
            ("ledger", |body| {
                let ledger = field(body, "ledger").as_map_mut().unwrap();
                *field(ledger, "spent") = Value::from(0.0);
            }),
        ];
        for (expected, change) in cases {
            let error = refusal(&forged(change));
            assert!(
                error.starts_with("the model's file is damaged: ") && error.contains(expected),
                "{expected}: {error}"
            );
        }
    }

    #[test]
    fn a_model_of_a_domain_from_the_data_says_so_and_promises_nothing() {
        let text = "a,b\nx,1\ny,2\nx,3\n";
        let (hasher, limits) = (KeyHasher::new([1; 16]), ReadLimits::default());
        let upload = || read_csv(text.as_bytes(), None, None, &hasher, &limits).unwrap();
        let options = LedgerOptions {
            threshold_share: Some(0.5),
            ..LedgerOptions::new(
                Epsilon::new(1.0).unwrap(),
                Delta::new(1e-6).unwrap(),
                Accounting::Zcdp,
            )
        };
        let found = |from_data: bool| {
            let mut ledger = Ledger::open(options).unwrap();
            let (joined, mut rng) = (Joined::single(upload()), testkit::noise(1));
            let table = match from_data {
                true => joined.dangerous_into_coded(),
                false => {
                    let discovery = ledger.total().share(1, 10);
                    joined.into_coded(&mut ledger, discovery, &mut rng).unwrap()
                }
            };
            let model = fit(
                &table,
                Method::Independent,
                &Map::new(),
                PAIRS,
                &mut ledger,
                &mut rng,
                &mut |_| ControlFlow::Continue(()),
            );
            let back = Model::load(&saved(&model.unwrap())).unwrap();
            (back.domain(), back.ledger().guarantees().len())
        };
        assert_eq!(found(true), (DomainSource::FromData, 0));
        assert_eq!(found(false), (DomainSource::Discovered, 2));
        let declared = model(Method::Independent);
        assert_eq!(declared.domain(), DomainSource::Declared);
    }

    #[test]
    fn a_networks_body_that_does_not_hold_together_is_refused() {
        let valid: Value =
            ciborium::from_reader(body_of(&saved(&model(Method::Dpctgan))).unwrap()).unwrap();
        type Change = fn(&mut Vec<(Value, Value)>);
        let within = |body: &mut Vec<(Value, Value)>, change: Change| {
            change(field(body, "network").as_map_mut().unwrap());
        };
        let cases: [(&str, Change); 5] = [
            ("not usable", |network| {
                let weights = field(network, "parameters").as_array_mut().unwrap();
                weights[0] = Value::from(f64::NAN);
            }),
            ("not that of its schema", |network| {
                drop(field(network, "parameters").as_array_mut().unwrap().pop());
            }),
            ("not that of its schema", |network| {
                drop(field(network, "groups").as_array_mut().unwrap().pop());
            }),
            ("not that of its schema", |network| {
                *field(network, "embedding") = Value::from(1 << 30);
            }),
            ("unknown field `more`", |network| {
                network.push((Value::from("more"), Value::from(1)));
            }),
        ];
        for (expected, change) in cases {
            let mut body = valid.clone();
            within(body.as_map_mut().unwrap(), change);
            let mut changed = Vec::new();
            ciborium::into_writer(&body, &mut changed).unwrap();
            let error = refusal(&with_header(&changed));
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let mut body = valid;
        let fields = body.as_map_mut().unwrap();
        fields.retain(|(key, _)| key.as_text() != Some("network"));
        let mut changed = Vec::new();
        ciborium::into_writer(&body, &mut changed).unwrap();
        assert!(refusal(&with_header(&changed)).contains("not of the kind"));
    }

    #[test]
    fn a_small_file_cannot_ask_for_a_large_model() {
        let error = refusal(&forged(|body| {
            let huge =
                "{\"a\": {\"integer\": {\"min\": 0, \"max\": 99999999, \"bins\": 100000000}}}";
            let schema: serde_json::Value = serde_json::from_str(huge).unwrap();
            *field(body, "schema") = Value::serialized(&schema).unwrap();
        }));
        assert!(error.contains("damaged"), "{error}");
    }
}
