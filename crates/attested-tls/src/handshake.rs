//! What both sides of the TLS handshake have in common.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{ConnectionCommon, DigitallySignedStruct, Error, SideData, SignatureScheme};

/// The bytes of the client's nonce.
pub(crate) const NONCE_BYTES: usize = 32;

/// The role is part of the label, so that a value is of no use in the other direction.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-synclave-attest-server";

/// Only TLS 1.3 is spoken.
pub(crate) const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// aws-lc-rs, preferring the hybrid key exchange: what is recorded today should stay closed to a
/// later quantum computer.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519],
        ..default_provider()
    })
}

/// The value that evidence on this connection must hold.
pub(crate) fn exporter<D: SideData>(
    connection: &ConnectionCommon<D>,
    nonce: &[u8; NONCE_BYTES],
) -> Result<[u8; 32], Error> {
    // The nonce is the context, so that a value of this connection answers one challenge only.
    connection.export_keying_material([0; 32], EXPORTER_LABEL, Some(nonce))
}

/// Checks the proof of possession of a raw public key, with one of the given schemes.
#[derive(Debug)]
pub(crate) struct RawKeySignatures {
    algorithms: WebPkiSupportedAlgorithms,
    schemes: Vec<SignatureScheme>,
}

impl RawKeySignatures {
    pub(crate) fn new(provider: &CryptoProvider, schemes: &[SignatureScheme]) -> RawKeySignatures {
        RawKeySignatures {
            algorithms: provider.signature_verification_algorithms,
            schemes: schemes.to_vec(),
        }
    }

    pub(crate) fn schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }

    pub(crate) fn verify(
        &self,
        message: &[u8],
        spki: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // The library checks the signature by the scheme that the peer names; that we offered it is
        // checked here.
        if !self.schemes.contains(&signature.scheme) {
            return Err(rustls::PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let spki = SubjectPublicKeyInfoDer::from(spki.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &self.algorithms)
    }
}

/// TLS 1.2 is not compiled in for the product and never negotiated.
pub(crate) fn no_tls12() -> Error {
    Error::General("TLS 1.2 is not spoken here".to_owned())
}

/// A short name of a public key for people and logs: the first 16 hex digits of its SHA-256.
pub(crate) fn fingerprint(spki: &[u8]) -> String {
    // 64 bits are enough to tell keys apart on a screen; agreements show the whole fingerprint.
    hex::encode(&digest(&SHA256, spki).as_ref()[..8])
}
