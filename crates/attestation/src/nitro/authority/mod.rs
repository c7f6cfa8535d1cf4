//! A made-up authority in the shape of AWS's: for the simulated platform and for tests.
//!
//! Root, regional, zonal, instance and leaf certificates carry the names, constraints, key usages
//! and lifetimes that Nitro's do, and documents have the same bytes but for keys and signatures.
//! What it says is worth as much as the secrecy of its root key, which lives in this process.

use std::collections::BTreeMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};

use crate::cbor::Writer;
use crate::nitro::envelope::to_be_signed;

#[cfg(feature = "forgeries")]
mod forgeries;
mod issue;
mod kept;

#[cfg(feature = "forgeries")]
pub use forgeries::Forgery;

pub use kept::NotKept;

use issue::Chain;
use kept::RootCertificate;

const RANDOM: &str = "making a P-384 key or signature fails only without system randomness";

/// A root of its own, and the authorities below it.
///
/// The certificates below the root are issued for each document, around the document's own time.
#[derive(Debug)]
pub struct Authority {
    root: KeyPair,
    regional: KeyPair,
    zonal: KeyPair,
    instance: KeyPair,
    root_certificate: RootCertificate,
}

/// What a document says. Nothing is checked here: the limits are the verifier's business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFields {
    /// The enclave's name, such as `i-0123456789abcdef0-enc0123456789abcdef`.
    pub module_id: String,
    /// Milliseconds since 1970.
    pub timestamp_millis: u64,
    /// The registers, by index; 48 bytes each.
    pub pcrs: BTreeMap<u8, Vec<u8>>,
    /// At most 1024 bytes, not empty.
    pub public_key: Option<Vec<u8>>,
    /// At most 512 bytes.
    pub user_data: Option<Vec<u8>>,
    /// At most 512 bytes.
    pub nonce: Option<Vec<u8>>,
}

/// How the map of a document is written; Nitro has used both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapForm {
    /// With its number of entries, as until 2025.
    Definite,
    /// With a mark at its end, as since 2025.
    Indefinite,
}

impl Authority {
    /// With keys that exist nowhere else.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn generate() -> Authority {
        let root = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect(RANDOM);
        let certificate = RootCertificate::from(Chain::root(&root));
        Authority::under(root, certificate)
    }

    fn under(root: KeyPair, root_certificate: RootCertificate) -> Authority {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect(RANDOM);
        Authority {
            root,
            regional: key(),
            zonal: key(),
            instance: key(),
            root_certificate,
        }
    }

    /// The root certificate, as
    /// [`Root::dangerous_from_pem`](crate::nitro::Root::dangerous_from_pem) reads it.
    pub fn root_pem(&self) -> String {
        self.root_certificate.pem.clone()
    }

    /// A signed document, in the form that Nitro has used since 2025.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn document(&self, fields: &DocumentFields) -> Vec<u8> {
        self.document_in(MapForm::Indefinite, fields)
    }

    /// As [`Authority::document`], in either form.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn document_in(&self, form: MapForm, fields: &DocumentFields) -> Vec<u8> {
        let chain = Chain::honest(fields.timestamp_millis);
        let issued = self.issue(&chain);
        let payload = payload(form, fields, &issued.certificate, &issued.bundle);
        envelope(
            &es384_header(),
            &payload,
            &issued.sign(&es384_header(), &payload),
        )
    }

    fn issue(&self, chain: &Chain) -> Issued {
        let leaf = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect(RANDOM);
        self.issue_with(chain, &self.instance, leaf)
    }

    fn issue_with(&self, chain: &Chain, instance: &KeyPair, leaf: KeyPair) -> Issued {
        let keys = [&self.root, &self.regional, &self.zonal, instance, &leaf];
        let [regional, zonal, instance, certificate] = chain.certificates(keys);
        let bundle = vec![self.root_certificate.der.clone(), regional, zonal, instance];
        Issued {
            key: leaf,
            certificate,
            bundle,
        }
    }
}

/// A leaf with its key, and the chain above it, root first.
struct Issued {
    key: KeyPair,
    certificate: Vec<u8>,
    bundle: Vec<Vec<u8>>,
}

impl Issued {
    /// ES384 over the envelope's parts: r and s, 48 bytes each.
    fn sign(&self, protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let pkcs8 = self.key.serialized_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8)
            .expect("the leaf key was generated for this algorithm");
        let message = to_be_signed(protected, payload);
        let signature = key.sign(&SystemRandom::new(), &message).expect(RANDOM);
        signature.as_ref().to_vec()
    }
}

/// `{1: -35}`.
fn es384_header() -> Vec<u8> {
    Writer::new().map(1).unsigned(1).negative(34).finish()
}

fn envelope(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let envelope = Writer::new().array(4).bytes(protected).map(0);
    envelope.bytes(payload).bytes(signature).finish()
}

/// The nine fields in the order in which Nitro writes them.
fn payload(
    form: MapForm,
    fields: &DocumentFields,
    certificate: &[u8],
    bundle: &[Vec<u8>],
) -> Vec<u8> {
    let map = match form {
        MapForm::Definite => Writer::new().map(9),
        MapForm::Indefinite => Writer::new().indefinite_map(),
    };
    let map = map.text("module_id").text(&fields.module_id);
    let map = map.text("digest").text("SHA384");
    let map = map.text("timestamp").unsigned(fields.timestamp_millis);
    let mut map = map.text("pcrs").map(fields.pcrs.len());
    for (index, pcr) in &fields.pcrs {
        map = map.unsigned(u64::from(*index)).bytes(pcr);
    }
    let map = map.text("certificate").bytes(certificate);
    let mut map = map.text("cabundle").array(bundle.len());
    for certificate in bundle {
        map = map.bytes(certificate);
    }
    let map = optional(map, "public_key", fields.public_key.as_deref());
    let map = optional(map, "user_data", fields.user_data.as_deref());
    let map = optional(map, "nonce", fields.nonce.as_deref());
    match form {
        MapForm::Definite => map.finish(),
        MapForm::Indefinite => map.end().finish(),
    }
}

fn optional(map: Writer, key: &str, value: Option<&[u8]>) -> Writer {
    let map = map.text(key);
    match value {
        Some(value) => map.bytes(value),
        None => map.null(),
    }
}
