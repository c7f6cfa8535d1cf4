//! The chain of certificates from the pinned root to the one that signed a document.

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::aws_lc_rs::ECDSA_P384_SHA384;
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{
    OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ECDSA_WITH_SHA384,
};

use super::{Root, utc};
use crate::Refusal;

/// The certificate that signed a document, proven to lead to the root at the time of checking.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Its key, an uncompressed P-384 point.
    pub(crate) key: Vec<u8>,
    /// Seconds since 1970, both inclusive.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// Checks `bundle` (root first) and `leaf` as they are in the document: every certificate issued
/// by the one before it, at the time `at`.
///
/// webpki verifies signatures and names; it looks neither at key usage, nor at the root's own
/// constraints, nor does it insist on the given order, so that is done here.
pub(crate) fn verify(
    bundle: &[Vec<u8>],
    leaf: &[u8],
    root: &Root,
    at: UnixTime,
) -> Result<Leaf, Refusal> {
    // By the fingerprint of the whole certificate, before it is parsed: a root's name and key id
    // can be copied, its digest cannot.
    let claimed = Root::of_der(&bundle[0]);
    if claimed != *root {
        return Err(Refusal::UnknownRoot {
            found: claimed.to_string(),
            expected: root.to_string(),
        });
    }
    let authorities = bundle.len();
    let mut certificates: Vec<Link<'_>> = Vec::with_capacity(authorities + 1);
    // All in the order given: a document that needs sorting was not made by the platform.
    for (position, der) in bundle.iter().map(Vec::as_slice).chain([leaf]).enumerate() {
        let link = Link {
            certificate: parse(der).ok_or_else(|| Refusal::Chain {
                certificate: name(position, authorities),
                problem: "is not an X.509 certificate",
            })?,
            position,
            authorities,
        };
        // The root issued itself.
        // Names first, since a chain that does not hang together needs no dates.
        link.check_issuer(certificates.last().unwrap_or(&link))?;
        link.check_time(at)?;
        link.check_algorithms()?;
        link.check_part()?;
        certificates.push(link);
    }
    verify_signatures(bundle, leaf, at)?;
    let leaf = &certificates[authorities].certificate;
    Ok(Leaf {
        key: leaf.public_key().subject_public_key.data.to_vec(),
        not_before: leaf.validity().not_before.timestamp(),
        not_after: leaf.validity().not_after.timestamp(),
    })
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    // Nothing may follow the certificate, where another could hide.
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], certificate)) => Some(certificate),
        _ => None,
    }
}

fn name(position: usize, authorities: usize) -> String {
    match position {
        0 => "root".to_owned(),
        _ if position == authorities => "leaf".to_owned(),
        _ => format!("intermediate {position}"),
    }
}

/// One certificate at its place in the chain, 0 being the root.
struct Link<'a> {
    certificate: X509Certificate<'a>,
    position: usize,
    /// How many of the chain are authorities; the leaf comes after them.
    authorities: usize,
}

impl Link<'_> {
    fn check_time(&self, at: UnixTime) -> Result<(), Refusal> {
        let validity = self.certificate.validity();
        // Far in the future rather than an overflow: it is refused as expired.
        let now = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        let (not_before, not_after) = (
            validity.not_before.timestamp(),
            validity.not_after.timestamp(),
        );
        if now > not_after {
            return Err(Refusal::Expired {
                certificate: self.name(),
                not_after: utc(not_after),
                at: utc(now),
            });
        }
        if now < not_before {
            return Err(Refusal::NotYetValid {
                certificate: self.name(),
                not_before: utc(not_before),
                at: utc(now),
            });
        }
        Ok(())
    }

    fn check_algorithms(&self) -> Result<(), Refusal> {
        // Only what Nitro uses: an algorithm that nobody here expects is one more to be broken.
        let key = self.certificate.public_key();
        let curve = key.algorithm.parameters.as_ref();
        let on_p384 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
            && curve.and_then(|curve| curve.as_oid().ok()) == Some(OID_NIST_EC_P384)
            // Uncompressed: 0x04 and two coordinates of 48 bytes.
            && key.subject_public_key.data.len() == 97
            && key.subject_public_key.data[0] == 4;
        if !on_p384 {
            return self.refused("has a key that is not on the curve P-384");
        }
        if self.certificate.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA384 {
            return self.refused("is not signed with ECDSA and SHA-384");
        }
        Ok(())
    }

    /// What the certificate is allowed to be used for.
    fn check_part(&self) -> Result<(), Refusal> {
        let (Ok(constraints), Ok(usage), Ok(extended)) = (
            self.certificate.basic_constraints(),
            self.certificate.key_usage(),
            self.certificate.extended_key_usage(),
        ) else {
            // x509-parser gives an error for an extension that comes twice, which readers resolve
            // differently.
            return self.refused("has an extension twice or one that cannot be read");
        };
        // RFC 5280 lets key usage be left out, which would mean "anything".
        let Some(usage) = usage else {
            return self.refused("does not say what its key may be used for");
        };
        // See NoExtendedUsage.
        if extended.is_some() {
            return self.refused("is restricted to another purpose");
        }
        let constraints = constraints.map(|constraints| constraints.value);
        let is_authority = constraints.is_some_and(|constraints| constraints.ca);
        // The leaf: an authority's certificate that signs documents would let its holder make more
        // of them.
        if self.position == self.authorities {
            if is_authority {
                return self.refused("is an authority's");
            }
            if !usage.value.digital_signature() {
                return self.refused("may not sign documents");
            }
            return Ok(());
        }
        if !is_authority {
            return self.refused("is not an authority's");
        }
        if !usage.value.key_cert_sign() {
            return self.refused("may not sign certificates");
        }
        // RFC 5280, section 4.2.1.9: the number of authorities that may follow, the leaf not
        // counted.
        let below = self.authorities - 1 - self.position;
        match constraints.and_then(|constraints| constraints.path_len_constraint) {
            Some(allowed) if (allowed as usize) < below => {
                self.refused("does not allow so many authorities below it")
            }
            _ => Ok(()),
        }
    }

    fn check_issuer(&self, issuer: &Link<'_>) -> Result<(), Refusal> {
        let named = self.certificate.issuer().as_raw();
        if named != issuer.certificate.subject().as_raw() {
            return self.refused("names another issuer than the certificate before it");
        }
        Ok(())
    }

    fn refused<T>(&self, problem: &'static str) -> Result<T, Refusal> {
        let certificate = self.name();
        Err(Refusal::Chain {
            certificate,
            problem,
        })
    }

    fn name(&self) -> String {
        name(self.position, self.authorities)
    }
}

// Signatures are left to webpki, over the same chain; what it does not look at was checked before.
fn verify_signatures(bundle: &[Vec<u8>], leaf: &[u8], at: UnixTime) -> Result<(), Refusal> {
    let refused = |problem| Refusal::Chain {
        certificate: "leaf".to_owned(),
        problem,
    };
    let unsigned = |_| refused("is not signed, link by link, by the root's key");
    let root = CertificateDer::from(bundle[0].as_slice());
    let anchor = anchor_from_trusted_cert(&root).map_err(unsigned)?;
    let anchors = [anchor];
    let intermediates: Vec<_> = bundle[1..]
        .iter()
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).map_err(unsigned)?;
    let path = leaf
        .verify_for_usage(
            &[ECDSA_P384_SHA384],
            // Any path that webpki finds; that it is this one is checked below.
            &anchors,
            &intermediates,
            at,
            NoExtendedUsage,
            // No revocation lists: leaves live for hours, and SECURITY.md says that none are
            // fetched.
            None,
            None,
        )
        .map_err(unsigned)?;
    // The path webpki found must be the whole bundle in the given order: it goes from the leaf up.
    let used = path
        .intermediate_certificates()
        .rev()
        .map(|used| used.der());
    if !used.eq(intermediates.iter().cloned()) {
        return Err(refused(
            "leads to the root by another way than the document gives",
        ));
    }
    Ok(())
}

/// Nitro certificates carry no extended key usage; one that does was made for something else.
struct NoExtendedUsage;

impl ExtendedKeyUsageValidator for NoExtendedUsage {
    fn validate(&self, mut usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        match usages.next() {
            None => Ok(()),
            Some(_) => Err(webpki::Error::ExtensionValueInvalid),
        }
    }
}
