//! Documents that lie in one point each, and are right in every other.

use rcgen::{
    BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
};
use time::Duration;

use super::issue::Chain;
use super::{Authority, DocumentFields, Issued, MapForm, RANDOM, envelope, es384_header, payload};
use crate::cbor::Writer;

/// The one point in which [`Authority::forge`] makes a document lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// The leaf ran out an hour before the document's time.
    ExpiredLeaf,
    /// The leaf becomes valid an hour after the document's time.
    LeafNotYetValid,
    /// The zonal certificate ran out an hour before the document's time.
    ExpiredIntermediate,
    /// The instance's certificate is not an authority's, though it signed the leaf.
    IssuerIsNoAuthority,
    /// The instance's certificate may sign documents only, not certificates.
    IssuerMayNotSignCertificates,
    /// The regional certificate allows one authority below it; there are two.
    PathTooLong,
    /// The leaf is an authority's certificate.
    LeafIsAuthority,
    /// The leaf's key usage lacks signing.
    LeafMayNotSign,
    /// The leaf does not say what its key is for.
    LeafWithoutKeyUsage,
    /// The leaf was made for web servers.
    LeafForWebServers,
    /// The leaf's key is on P-256 (and its signature, therefore, not ES384).
    LeafOnP256,
    /// The leaf has the right issuer's name, but a stranger's signature.
    LeafSignedByStranger,
    /// Two authorities have changed places.
    BundleOutOfOrder,
    /// One authority is listed twice.
    BundleRepeats,
    /// An authority with the root's name comes below the root, and signed nothing.
    BundleWithNamesake,
    /// The chain lacks the instance's certificate.
    BundleIncomplete,

    /// The signed header names this algorithm (a negative number), with a true ES384 signature.
    Algorithm(i8),
    /// The algorithm is named in the unsigned header instead.
    AlgorithmUnsigned,
    /// No algorithm is named anywhere.
    NoAlgorithm,
    /// The signed header also demands an extension (`crit`).
    CriticalHeader,
    /// The signature is written as in X.509.
    DerSignature,
    /// One bit of the signature is turned.
    FlippedSignatureBit,
    /// r and s are zero.
    ZeroSignature,
    /// A true signature, by a key that is not the leaf's.
    SignedByStranger,

    /// A byte follows the envelope.
    TrailingByte,
    /// A byte follows the document within its envelope; signed.
    TrailingByteInside,
    /// The envelope carries tag 18.
    Tagged,
    /// The document has its module id twice; signed.
    KeyTwice,
    /// The document has a field of its own; signed.
    UnknownField,
    /// The document has five arrays within one another; signed.
    DeepNesting,
    /// A length of the envelope takes more bytes than it needs.
    WideLength,

    /// The document says that it was made six minutes after its certificates were; signed.
    SixMinutesAhead,
}

impl Authority {
    /// A document that lies in one point; its map is of definite length.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn forge(&self, fields: &DocumentFields, forgery: Forgery) -> Vec<u8> {
        let issued = self.issue_forged(fields.timestamp_millis, forgery);
        let mut fields = fields.clone();
        if forgery == Forgery::SixMinutesAhead {
            fields.timestamp_millis += 6 * 60 * 1000;
        }
        let honest = payload(
            MapForm::Definite,
            &fields,
            &issued.certificate,
            &issued.bundle,
        );
        let payload = forge_payload(honest, forgery);
        forge_envelope(&issued, &payload, forgery)
    }

    /// Signs any payload, which `write` makes from the leaf certificate and the bundle (root
    /// first).
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn sign_payload(
        &self,
        timestamp_millis: u64,
        write: impl FnOnce(&[u8], &[Vec<u8>]) -> Vec<u8>,
    ) -> Vec<u8> {
        let issued = self.issue(&Chain::honest(timestamp_millis));
        let payload = write(&issued.certificate, &issued.bundle);
        seal(&issued, &es384_header(), &payload)
    }

    fn issue_forged(&self, millis: u64, forgery: Forgery) -> Issued {
        let mut chain = Chain::honest(millis);
        let [regional, zonal, instance, leaf] = &mut chain.plans;
        let hours = Duration::hours;
        match forgery {
            Forgery::ExpiredLeaf => {
                leaf.not_before -= hours(4);
                leaf.not_after -= hours(4);
            }
            Forgery::LeafNotYetValid => leaf.not_before += hours(1),
            Forgery::ExpiredIntermediate => {
                zonal.not_before -= Duration::days(6);
                zonal.not_after -= Duration::days(5) + hours(1);
            }
            Forgery::IssuerIsNoAuthority => instance.is_ca = IsCa::ExplicitNoCa,
            Forgery::IssuerMayNotSignCertificates => {
                instance.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            }
            Forgery::PathTooLong => {
                regional.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
            }
            Forgery::LeafIsAuthority => {
                leaf.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            }
            Forgery::LeafMayNotSign => {
                leaf.key_usages = vec![KeyUsagePurpose::ContentCommitment];
            }
            Forgery::LeafWithoutKeyUsage => leaf.key_usages.clear(),
            Forgery::LeafForWebServers => {
                leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
            Forgery::LeafOnP256 => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect(RANDOM);
                return self.issue_with(&chain, &self.instance, key);
            }
            Forgery::LeafSignedByStranger => {
                let stranger = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect(RANDOM);
                let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect(RANDOM);
                let forged = self.issue_with(&chain, &stranger, key);
                let bundle = self.issue(&chain).bundle;
                return Issued { bundle, ..forged };
            }
            _ => {}
        }
        let mut issued = self.issue(&chain);
        match forgery {
            Forgery::BundleOutOfOrder => issued.bundle.swap(1, 2),
            Forgery::BundleRepeats => issued.bundle.insert(2, issued.bundle[1].clone()),
            Forgery::BundleWithNamesake => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect(RANDOM);
                let namesake = chain.namesake_of_root(&self.root, &key);
                issued.bundle.insert(1, namesake);
            }
            Forgery::BundleIncomplete => issued.bundle.truncate(3),
            _ => {}
        }
        issued
    }
}

fn forge_payload(mut honest: Vec<u8>, forgery: Forgery) -> Vec<u8> {
    // A definite map of nine pairs begins with 0xa9; a tenth pair is put at its end.
    let mut append = |pair: Writer| {
        honest[0] += 1;
        honest.extend(pair.finish());
    };
    match forgery {
        Forgery::KeyTwice => append(Writer::new().text("module_id").text("i-other")),
        Forgery::UnknownField => append(Writer::new().text("debug").unsigned(0)),
        Forgery::DeepNesting => {
            let nested = Writer::new().text("nonces").array(1).array(1).array(1);
            append(nested.array(1).array(0));
        }
        Forgery::TrailingByteInside => honest.push(0),
        _ => {}
    }
    honest
}

fn forge_envelope(issued: &Issued, payload: &[u8], forgery: Forgery) -> Vec<u8> {
    let honest = es384_header();
    match forgery {
        Forgery::Algorithm(algorithm) => {
            let distance = u64::try_from(-1 - i64::from(algorithm)).expect("it is negative");
            let header = Writer::new().map(1).unsigned(1).negative(distance).finish();
            seal(issued, &header, payload)
        }
        Forgery::NoAlgorithm => seal(issued, &Writer::new().map(0).finish(), payload),
        Forgery::CriticalHeader => {
            let header = Writer::new().map(2).unsigned(1).negative(34);
            let header = header.unsigned(2).array(1).unsigned(99).finish();
            seal(issued, &header, payload)
        }
        Forgery::AlgorithmUnsigned => {
            let header = Writer::new().map(0).finish();
            let parts = Writer::new().array(4).bytes(&header).map(1);
            let parts = parts.unsigned(1).negative(34).bytes(payload);
            parts.bytes(&issued.sign(&header, payload)).finish()
        }
        Forgery::DerSignature | Forgery::LeafOnP256 => {
            let message = crate::nitro::envelope::to_be_signed(&honest, payload);
            let signature = rcgen::SigningKey::sign(&issued.key, &message).expect(RANDOM);
            envelope(&honest, payload, &signature)
        }
        Forgery::FlippedSignatureBit => {
            let mut signature = issued.sign(&honest, payload);
            signature[40] ^= 1;
            envelope(&honest, payload, &signature)
        }
        Forgery::ZeroSignature => envelope(&honest, payload, &[0; 96]),
        Forgery::SignedByStranger => {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect(RANDOM);
            let stranger = Issued {
                key,
                certificate: Vec::new(),
                bundle: Vec::new(),
            };
            seal(&stranger, &honest, payload)
        }
        Forgery::TrailingByte => [seal(issued, &honest, payload), vec![0]].concat(),
        Forgery::Tagged => [vec![0xd2], seal(issued, &honest, payload)].concat(),
        Forgery::WideLength => {
            let sealed = seal(issued, &honest, payload);
            // 0x84, then 0x44 and the four bytes of the signed header.
            [&[0x84, 0x58, 4], &sealed[2..]].concat()
        }
        _ => seal(issued, &honest, payload),
    }
}

fn seal(issued: &Issued, header: &[u8], payload: &[u8]) -> Vec<u8> {
    envelope(header, payload, &issued.sign(header, payload))
}
