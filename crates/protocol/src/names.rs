//! Names that are hashes, and the salts that go into some: hexadecimal to people, bytes to
//! programs.

use std::fmt;
use std::io;
use std::str::FromStr;

use aws_lc_rs::digest::{self, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {} hexadecimal digits", 2 * bytes)]
pub struct NotHex {
    bytes: usize,
}

macro_rules! hex_name {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                $name(bytes)
            }

            /// Returns the bytes behind the hexadecimal digits.
            pub const fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// Its bytes, borrowed.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| NotHex { bytes: $bytes })?;
                Ok($name(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_name! {
    /// The name of an agreement: SHA-384 of its two files (see [`crate::Agreement::sha384`]).
    AgreementHash, 48
}
hex_name! {
    /// The name of one very room: the enclave derives it from the agreement (and so from its
    /// parties' keys) and its boot.
    RoomId, 32
}
hex_name! {
    /// SHA-256 of a public key's SPKI.
    KeyFingerprint, 32
}
hex_name! {
    /// A SHA-384 value.
    Digest, 48
}
hex_name! {
    /// What hides a party's table behind its commitment, known to that party alone.
    Salt, 32
}

impl KeyFingerprint {
    /// Hashes a key's SPKI in DER.
    pub fn of_key(spki: &[u8]) -> Self {
        KeyFingerprint(fixed(digest(&digest::SHA256, spki)))
    }

    /// The hexadecimal digits in groups of four, for two people who compare them by telephone.
    pub fn in_groups(&self) -> String {
        let groups: Vec<String> = self.0.chunks(2).map(hex::encode).collect();
        groups.join(" ")
    }
}

impl Digest {
    /// Hashes these bytes.
    pub fn sha384(bytes: &[u8]) -> Self {
        Digest(fixed(digest(&digest::SHA384, bytes)))
    }

    /// Hashes all that can be read, in constant memory.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn sha384_of_reader(mut reader: impl io::Read) -> io::Result<Self> {
        let mut context = digest::Context::new(&digest::SHA384);
        let mut chunk = vec![0; 1 << 16];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(Digest(fixed(context.finish()))),
                Ok(read) => context.update(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The digest as an array of the length its algorithm has.
pub(crate) fn fixed<const N: usize>(digest: digest::Digest) -> [u8; N] {
    digest
        .as_ref()
        .try_into()
        .expect("the caller asks for the algorithm's own length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_from_their_text() {
        let name = Digest::sha384(b"abc");
        assert!(
            name.to_string()
                .starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163")
        );
        assert_eq!(name.to_string().parse(), Ok(name));
        let long = [7; 200_000];
        assert_eq!(
            Digest::sha384_of_reader(&long[..]).unwrap(),
            Digest::sha384(&long)
        );
        assert_eq!(
            serde_json::from_str::<Digest>(&serde_json::to_string(&name).unwrap()).unwrap(),
            name
        );
    }

    #[test]
    fn a_fingerprint_is_spoken_in_groups_of_its_own_digits() {
        let fingerprint = KeyFingerprint::of_key(b"abc");
        let spoken = fingerprint.in_groups();
        assert!(spoken.starts_with("ba78 16bf 8f01 cfea "), "{spoken}");
        assert_eq!(spoken.replace(' ', ""), fingerprint.to_string());
    }

    #[test]
    fn texts_of_another_length_or_alphabet_are_refused() {
        for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert_eq!(
                text.parse::<RoomId>(),
                Err(NotHex { bytes: 32 }),
                "{text:?}"
            );
        }
    }
}
