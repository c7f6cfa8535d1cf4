//! What ties evidence to one channel, one agreement and one room.

use aws_lc_rs::digest::{Context, SHA256};

use crate::cbor::{self, Value, Writer};

const VERSION: u64 = 1;

// Versioned, so that an older program refuses what it does not understand.
/// The `user_data` of evidence about a channel: CBOR `{v: 1, exporter, agreement, room, boot}`.
///
/// There is one encoding of each value; [`ChannelBinding::decode`] accepts no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    exporter: [u8; 32],
    agreement: [u8; 48],
    room: [u8; 32],
    boot: [u8; 32],
}

impl ChannelBinding {
    /// Of a room that was started with `agreement` and drew `boot`; the room id follows from these
    /// two.
    pub fn new(exporter: [u8; 32], agreement: [u8; 48], boot: [u8; 32]) -> ChannelBinding {
        ChannelBinding {
            exporter,
            agreement,
            // Derived here as well as checked in `decode`: no caller can pair a room with another
            // agreement.
            room: room_id(&agreement, &boot),
            boot,
        }
    }

    /// Reads what [`ChannelBinding::encode`] writes.
    ///
    /// # Errors
    /// When the bytes are anything else, or the room id does not follow from agreement and boot
    /// nonce.
    pub fn decode(bytes: &[u8]) -> Result<ChannelBinding, InvalidBinding> {
        let Ok(Value::Map(entries)) = cbor::decode(bytes) else {
            return Err(InvalidBinding::Form);
        };
        let bytes_of = |name| {
            let entry = entries.iter().find(|(key, _)| *key == Value::Text(name));
            match entry {
                Some((_, Value::Bytes(value))) => Ok(*value),
                _ => Err(InvalidBinding::Form),
            }
        };
        let length = |_| InvalidBinding::Form;
        let binding = ChannelBinding {
            exporter: bytes_of("exporter")?.try_into().map_err(length)?,
            agreement: bytes_of("agreement")?.try_into().map_err(length)?,
            room: bytes_of("room")?.try_into().map_err(length)?,
            boot: bytes_of("boot")?.try_into().map_err(length)?,
        };
        // This also settles the version, the order of the keys, and that there is none besides.
        // Encoded again and compared: cheaper to be sure of than a list of everything that could
        // differ.
        if binding.encode() != bytes {
            return Err(InvalidBinding::Form);
        }
        // A client that pins a room pins agreement and boot with it.
        if binding.room != room_id(&binding.agreement, &binding.boot) {
            return Err(InvalidBinding::Room);
        }
        Ok(binding)
    }

    /// At most 512 bytes, as the user data of evidence must be.
    pub fn encode(&self) -> Vec<u8> {
        let map = Writer::new().map(5).text("v").unsigned(VERSION);
        let map = map.text("exporter").bytes(&self.exporter);
        let map = map.text("agreement").bytes(&self.agreement);
        let map = map.text("room").bytes(&self.room);
        map.text("boot").bytes(&self.boot).finish()
    }

    /// The TLS exporter value of the channel, taken with the client's nonce as context.
    pub fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// SHA-384 of the agreement the room was started with.
    pub fn agreement(&self) -> &[u8; 48] {
        &self.agreement
    }

    /// The room's name; see [`room_id`].
    pub fn room(&self) -> &[u8; 32] {
        &self.room
    }

    /// The random value that sets this room apart from others of the same agreement.
    pub fn boot(&self) -> &[u8; 32] {
        &self.boot
    }
}

/// Why user data is not a channel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBinding {
    /// Not the one encoding of version 1.
    #[error("the evidence does not say which channel it is about")]
    Form,
    /// Names a room that its other parts do not make.
    #[error("the evidence names a room that does not follow from its agreement and boot nonce")]
    Room,
}

// The prefix keeps this hash apart from any other over the same bytes.
/// The name of a room: SHA-256 of `synclave room v1`, the agreement's SHA-384 and the boot nonce.
///
/// The parties' keys are part of the agreement's bytes, so its hash covers them.
pub fn room_id(agreement: &[u8; 48], boot: &[u8; 32]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    hash.update(b"synclave room v1");
    hash.update(agreement);
    hash.update(boot);
    let digest = hash.finish();
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> ChannelBinding {
        ChannelBinding::new([1; 32], [2; 48], [3; 32])
    }

    #[test]
    fn a_binding_is_read_back_and_fits_user_data() {
        let bytes = some().encode();
        assert!(bytes.len() <= 512);
        assert_eq!(ChannelBinding::decode(&bytes), Ok(some()));
    }

    #[test]
    fn no_single_changed_or_added_byte_gives_the_same_binding() {
        let bytes = some().encode();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert_ne!(ChannelBinding::decode(&changed), Ok(some()), "byte {at}");
            }
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(ChannelBinding::decode(&longer), Err(InvalidBinding::Form));
    }

    #[test]
    fn a_second_encoding_of_the_same_values_is_refused() {
        let mut indefinite = some().encode();
        indefinite[0] = 0xbf;
        indefinite.push(0xff);
        assert_eq!(
            ChannelBinding::decode(&indefinite),
            Err(InvalidBinding::Form)
        );
    }

    #[test]
    fn a_room_that_does_not_follow_is_refused() {
        let other = ChannelBinding {
            room: [9; 32],
            ..some()
        };
        let decoded = ChannelBinding::decode(&other.encode());
        assert_eq!(decoded, Err(InvalidBinding::Room));
    }

    #[test]
    fn the_room_depends_on_agreement_and_boot_nonce() {
        let room = room_id(&[2; 48], &[3; 32]);
        assert_ne!(room, room_id(&[4; 48], &[3; 32]));
        assert_ne!(room, room_id(&[2; 48], &[4; 32]));
    }
}
