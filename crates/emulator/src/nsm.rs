//! The security module of one enclave.

use std::collections::BTreeMap;

use attestation::nitro::Measurements;
use attestation::nitro::authority::DocumentFields;
use aws_lc_rs::digest::{Context, SHA384};
use serde_bytes::ByteBuf;

use crate::message::{Digest, ErrorCode, Request, Response};
use crate::{Lie, Signer};

const REGISTERS: u16 = 32;
/// PCR0 to PCR15 belong to the host and are locked from the start.
const HOST_REGISTERS: u16 = 16;
const RANDOM_BYTES: usize = 256;
const MODULE_ID: &str = "i-0000000000000000a-enc0000000000000001";

/// What Nitro's security module does for one enclave: registers that can be extended and locked,
/// randomness, and documents about them.
pub struct Nsm {
    registers: Vec<Register>,
    signer: Signer,
}

#[derive(Clone)]
struct Register {
    value: [u8; 48],
    locked: bool,
}

impl Nsm {
    /// For an enclave with this image. PCR3 and PCR4 are those of a parent without a role and with
    /// a made-up instance id.
    ///
    /// The lies about the image are told to the guest as well: a host that starts another image, or
    /// one in debug mode, does so too.
    pub fn new(image: &Measurements, signer: Signer) -> Self {
        let register = |index| Register {
            value: [0; 48],
            locked: index < HOST_REGISTERS,
        };
        let mut registers: Vec<Register> = (0..REGISTERS).map(register).collect();
        for (register, pcr) in registers.iter_mut().zip(image.pcrs()) {
            register.value = *pcr;
        }
        registers[4].extend(b"i-0000000000000000a");
        match signer.lie() {
            Some(Lie::DebugMode) => registers.iter_mut().for_each(|pcr| pcr.value = [0; 48]),
            Some(Lie::OtherImage) => registers[..3].iter_mut().for_each(|pcr| pcr.value[0] ^= 1),
            _ => {}
        }
        Self { registers, signer }
    }

    /// Answers one request of the guest's driver, in at most `room` bytes if that is possible.
    ///
    /// What is not a request gets an error, as everything else that Nitro refuses.
    pub fn answer(&mut self, request: &[u8], room: usize) -> Vec<u8> {
        let response = match ciborium::from_reader::<Request, _>(request) {
            Ok(_) if self.signer.lie() == Some(Lie::NsmRefuses) => Err(ErrorCode::InternalError),
            Ok(request) => self.carry_out(request),
            Err(_) => Err(ErrorCode::InvalidOperation),
        };
        let answer = response.unwrap_or_else(Response::Error).to_cbor();
        if answer.len() > room {
            return Response::Error(ErrorCode::BufferTooSmall).to_cbor();
        }
        answer
    }

    fn carry_out(&mut self, request: Request) -> Result<Response, ErrorCode> {
        Ok(match request {
            Request::DescribeNSM => self.describe(),
            Request::DescribePCR { index } => {
                let register = self.register(index)?;
                Response::DescribePCR {
                    lock: register.locked,
                    data: bytes(&register.value),
                }
            }
            Request::ExtendPCR { index, data } => {
                let register = self.open_register(index)?;
                within(&data, 1..=512)?;
                register.extend(&data);
                Response::ExtendPCR {
                    data: bytes(&register.value),
                }
            }
            Request::LockPCR { index } => {
                self.open_register(index)?.locked = true;
                Response::LockPCR
            }
            Request::LockPCRs { range } => {
                if range > REGISTERS {
                    return Err(ErrorCode::InvalidIndex);
                }
                for register in &mut self.registers[..usize::from(range)] {
                    register.locked = true;
                }
                Response::LockPCRs
            }
            Request::Attestation {
                user_data,
                nonce,
                public_key,
            } => self.attest(user_data, nonce, public_key)?,
            Request::GetRandom => {
                let mut random = vec![0; RANDOM_BYTES];
                getrandom::fill(&mut random).map_err(|_| ErrorCode::InternalError)?;
                Response::GetRandom {
                    random: random.into(),
                }
            }
        })
    }

    fn describe(&self) -> Response {
        let locked = (0..REGISTERS).filter(|index| self.registers[usize::from(*index)].locked);
        Response::DescribeNSM {
            version_major: 1,
            version_minor: 0,
            version_patch: 0,
            module_id: MODULE_ID.to_owned(),
            max_pcrs: REGISTERS,
            locked_pcrs: locked.collect(),
            digest: Digest::SHA384,
        }
    }

    /// As on Nitro, the document shows locked registers only.
    fn attest(
        &mut self,
        user_data: Option<ByteBuf>,
        nonce: Option<ByteBuf>,
        public_key: Option<ByteBuf>,
    ) -> Result<Response, ErrorCode> {
        for (field, most) in [(&user_data, 512), (&nonce, 512), (&public_key, 1024)] {
            if let Some(field) = field {
                within(field, 0..=most)?;
            }
        }
        let locked = (0..).zip(&self.registers).filter(|(_, pcr)| pcr.locked);
        let pcrs: BTreeMap<u8, Vec<u8>> = locked
            .map(|(index, pcr)| (index, pcr.value.to_vec()))
            .collect();
        let document = self.signer.document(DocumentFields {
            module_id: MODULE_ID.to_owned(),
            timestamp_millis: 0,
            pcrs,
            public_key: public_key.map(ByteBuf::into_vec),
            user_data: user_data.map(ByteBuf::into_vec),
            nonce: nonce.map(ByteBuf::into_vec),
        });
        Ok(Response::Attestation {
            document: document.into(),
        })
    }

    fn register(&mut self, index: u16) -> Result<&mut Register, ErrorCode> {
        let register = self.registers.get_mut(usize::from(index));
        register.ok_or(ErrorCode::InvalidIndex)
    }

    fn open_register(&mut self, index: u16) -> Result<&mut Register, ErrorCode> {
        match self.register(index)? {
            register if register.locked => Err(ErrorCode::ReadOnlyIndex),
            register => Ok(register),
        }
    }
}

impl Register {
    fn extend(&mut self, data: &[u8]) {
        let mut hash = Context::new(&SHA384);
        hash.update(&self.value);
        hash.update(data);
        let value = hash.finish();
        self.value.copy_from_slice(value.as_ref());
    }
}

fn within(field: &[u8], lengths: std::ops::RangeInclusive<usize>) -> Result<(), ErrorCode> {
    match field.len() {
        length if length > *lengths.end() => Err(ErrorCode::InputTooLarge),
        length if length < *lengths.start() => Err(ErrorCode::InvalidArgument),
        _ => Ok(()),
    }
}

fn bytes(value: &[u8]) -> ByteBuf {
    ByteBuf::from(value.to_vec())
}
