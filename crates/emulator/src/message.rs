//! What the guest asks its security module, and what that answers: CBOR, in the form of AWS's
//! `aws-nitro-enclaves-nsm-api`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A question of the guest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    DescribePCR {
        index: u16,
    },
    ExtendPCR {
        index: u16,
        data: ByteBuf,
    },
    LockPCR {
        index: u16,
    },
    LockPCRs {
        range: u16,
    },
    DescribeNSM,
    Attestation {
        user_data: Option<ByteBuf>,
        nonce: Option<ByteBuf>,
        public_key: Option<ByteBuf>,
    },
    GetRandom,
}

/// What the security module answers to a request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Response {
    DescribePCR {
        lock: bool,
        data: ByteBuf,
    },
    ExtendPCR {
        data: ByteBuf,
    },
    LockPCR,
    LockPCRs,
    DescribeNSM {
        version_major: u16,
        version_minor: u16,
        version_patch: u16,
        module_id: String,
        max_pcrs: u16,
        locked_pcrs: BTreeSet<u16>,
        digest: Digest,
    },
    Attestation {
        document: ByteBuf,
    },
    GetRandom {
        random: ByteBuf,
    },
    Error(ErrorCode),
}

/// The function over the registers; Nitro has this one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Digest {
    SHA384,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ErrorCode {
    /// An argument is not one.
    InvalidArgument,
    /// There is no such register.
    InvalidIndex,
    /// The register is locked.
    ReadOnlyIndex,
    /// What is asked is not known.
    InvalidOperation,
    /// The answer does not fit where the guest wants it.
    BufferTooSmall,
    /// An argument is too long.
    InputTooLarge,
    /// The module failed for a reason of its own.
    InternalError,
}

impl Response {
    /// The bytes that the guest's driver hands on.
    pub(crate) fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).expect("a response has a CBOR form");
        bytes
    }
}
