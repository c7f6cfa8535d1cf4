//! The program that an enclave must run, in the form in which nitro-cli prints it.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{PROGRAM_PCRS, register_name};
use crate::{Policy, Register};

/// PCR0 (the whole image), PCR1 (kernel and boot ramdisk) and PCR2 (the application) of an enclave
/// image.
///
/// None of them is all zero: that is what debug mode reports, whatever the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Measurements {
    pcrs: [[u8; 48]; 3],
}

impl Measurements {
    /// From the raw SHA-384 values.
    ///
    /// # Errors
    /// When one of them is all zero.
    pub fn new(
        pcr0: [u8; 48],
        pcr1: [u8; 48],
        pcr2: [u8; 48],
    ) -> Result<Measurements, InvalidMeasurements> {
        let pcrs = [pcr0, pcr1, pcr2];
        // Zeros are refused as an expectation too: whoever asks for them would accept any image in
        // debug mode.
        match pcrs.iter().position(|pcr| *pcr == [0; 48]) {
            Some(index) => Err(InvalidMeasurements::Zero { index }),
            None => Ok(Measurements { pcrs }),
        }
    }

    /// From 96 hexadecimal digits each, in either case.
    ///
    /// # Errors
    /// When one is not 96 hexadecimal digits, or all zero.
    pub fn from_hex(
        pcr0: &str,
        pcr1: &str,
        pcr2: &str,
    ) -> Result<Measurements, InvalidMeasurements> {
        let read = |index, text: &str| {
            let mut pcr = [0; 48];
            // Trimmed, as digits are copied from terminals.
            hex::decode_to_slice(text.trim(), &mut pcr)
                .map(|()| pcr)
                .map_err(|_| InvalidMeasurements::NotHex { index })
        };
        Measurements::new(read(0, pcr0)?, read(1, pcr1)?, read(2, pcr2)?)
    }

    /// From what `nitro-cli build-enclave` prints:
    /// `{"Measurements": {"PCR0": "...", "PCR1": "...", "PCR2": "..."}}`.
    ///
    /// `HashAlgorithm` and, of signed images, `PCR8` may be there too; PCR8 is not compared,
    /// because PCR0 names the one image already, whoever signed it.
    ///
    /// # Errors
    /// When the text is not such JSON, lacks one of the three, or has another key that a reader
    /// might take for checked.
    pub fn from_json(text: &str) -> Result<Measurements, InvalidMeasurements> {
        let file: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| InvalidMeasurements::NotJson(error.to_string()))?;
        let Some(Value::Object(pcrs)) = file.get("Measurements") else {
            // The object has to be there: a file of another kind would otherwise be "no
            // measurements".
            return Err(InvalidMeasurements::NotJson(
                "it has no object \"Measurements\"".into(),
            ));
        };
        let known = ["HashAlgorithm", "PCR0", "PCR1", "PCR2", "PCR8"];
        // An allow-list: whoever writes PCR3 into the file would believe that it is compared.
        if let Some(key) = pcrs.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(InvalidMeasurements::UnknownKey(key.clone()));
        }
        let read = |index, key| match pcrs.get(key) {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(InvalidMeasurements::NotHex { index }),
            None => Err(InvalidMeasurements::Missing { index }),
        };
        Measurements::from_hex(read(0, "PCR0")?, read(1, "PCR1")?, read(2, "PCR2")?)
    }

    /// The JSON that [`Measurements::from_json`] reads, ending in a line feed.
    pub fn to_json(&self) -> String {
        let [pcr0, pcr1, pcr2] = self.pcrs.map(hex::encode);
        let file = json!({"Measurements": {
            // As nitro-cli writes it, so that either file can be compared by eye.
            "HashAlgorithm": "Sha384 { ... }", "PCR0": pcr0, "PCR1": pcr1, "PCR2": pcr2,
        }});
        format!("{file:#}\n")
    }

    /// PCR0, PCR1 and PCR2, in this order.
    pub fn pcrs(&self) -> &[[u8; 48]; 3] {
        &self.pcrs
    }
}

impl From<Measurements> for Policy {
    /// Exactly these three registers.
    fn from(measurements: Measurements) -> Policy {
        let pcrs = PROGRAM_PCRS.into_iter().zip(measurements.pcrs);
        let registers = pcrs.map(|(index, pcr)| Register {
            name: register_name(index),
            value: pcr.to_vec(),
        });
        Policy::new(registers).expect("three registers, none of them zero")
    }
}

impl fmt::Debug for Measurements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pcr0, pcr1, pcr2] = self.pcrs.map(hex::encode);
        write!(
            f,
            "Measurements {{ PCR0: {pcr0}, PCR1: {pcr1}, PCR2: {pcr2} }}"
        )
    }
}

/// Why measurements cannot be what an enclave is compared with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMeasurements {
    /// Only an enclave in debug mode reports zeros, and it promises nothing.
    #[error(
        "PCR{index} is all zero, which is what an enclave in debug mode reports: \
         take the measurements that were printed when the image was built"
    )]
    Zero {
        /// Which register: 0, 1 or 2.
        index: usize,
    },
    /// Not the hex of a SHA-384 value.
    #[error("PCR{index} is not 96 hexadecimal digits")]
    NotHex {
        /// Which register: 0, 1 or 2.
        index: usize,
    },
    /// One of the three is not there.
    #[error("the measurements lack PCR{index}: PCR0, PCR1 and PCR2 are all required")]
    Missing {
        /// Which register: 0, 1 or 2.
        index: usize,
    },
    /// A key that would be ignored.
    #[error("the measurements name {0:?}, which is not compared: leave only PCR0, PCR1 and PCR2")]
    UnknownKey(String),
    /// Not JSON of this shape.
    #[error("the measurements are not the JSON that nitro-cli prints: {0}")]
    NotJson(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Measurements {
        Measurements::new([1; 48], [2; 48], [0xab; 48]).expect("none is zero")
    }

    #[test]
    fn json_is_read_back_as_written() {
        assert_eq!(Measurements::from_json(&some().to_json()), Ok(some()));
    }

    #[test]
    fn what_nitro_cli_prints_for_a_signed_image_is_read() {
        let [a, b, c] = some().pcrs().map(hex::encode_upper);
        let text = format!(
            r#"{{"Measurements": {{"HashAlgorithm": "Sha384 {{ ... }}",
                "PCR0": "{a}", "PCR1": "{b}", "PCR2": "{c}", "PCR8": "{a}"}}}}"#
        );
        assert_eq!(Measurements::from_json(&text), Ok(some()));
    }

    #[test]
    fn a_zero_register_is_refused_and_debug_mode_named() {
        for index in 0..3 {
            let mut pcrs = *some().pcrs();
            pcrs[index] = [0; 48];
            let error = Measurements::new(pcrs[0], pcrs[1], pcrs[2]).expect_err("one is zero");
            assert_eq!(error, InvalidMeasurements::Zero { index });
            assert!(error.to_string().contains("debug mode"));
        }
    }

    #[test]
    fn missing_extra_and_unreadable_registers_are_refused() {
        let [a, b, c] = some().pcrs().map(hex::encode);
        let json =
            |inner: &str| Measurements::from_json(&format!(r#"{{"Measurements": {inner}}}"#));
        let two = format!(r#"{{"PCR0": "{a}", "PCR1": "{b}"}}"#);
        assert_eq!(json(&two), Err(InvalidMeasurements::Missing { index: 2 }));
        let four = format!(r#"{{"PCR0": "{a}", "PCR1": "{b}", "PCR2": "{c}", "PCR3": "{a}"}}"#);
        let expected = Err(InvalidMeasurements::UnknownKey("PCR3".into()));
        assert_eq!(json(&four), expected);
        let short = format!(r#"{{"PCR0": "{a}", "PCR1": "{b}00", "PCR2": "{c}"}}"#);
        assert_eq!(json(&short), Err(InvalidMeasurements::NotHex { index: 1 }));
        let number = format!(r#"{{"PCR0": 5, "PCR1": "{b}", "PCR2": "{c}"}}"#);
        assert_eq!(json(&number), Err(InvalidMeasurements::NotHex { index: 0 }));
        for text in ["", "[]", "{}", r#"{"Measurements": 1}"#] {
            let error = Measurements::from_json(text).expect_err(text);
            assert!(matches!(error, InvalidMeasurements::NotJson(_)), "{text}");
        }
    }
}
