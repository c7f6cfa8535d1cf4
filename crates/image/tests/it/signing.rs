//! Signed images.

use image::{
    Digest, Image, ImageBuilder, InvalidSignature, InvalidSigner, Metadata, Signer, sha384,
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

use crate::draft::{self, Draft, SIGNATURE};

struct Keys {
    certificate: String,
    der: Vec<u8>,
    private: String,
}

fn keys(algorithm: &'static rcgen::SignatureAlgorithm) -> Keys {
    let key = KeyPair::generate_for(algorithm).expect("a generator");
    let certificate = CertificateParams::new(vec!["signer.example".into()])
        .and_then(|params| params.self_signed(&key))
        .expect("a plain name");
    Keys {
        certificate: certificate.pem(),
        der: certificate.der().to_vec(),
        private: key.serialize_pem(),
    }
}

fn signer(keys: &Keys) -> Signer {
    Signer::from_pem(keys.certificate.as_bytes(), keys.private.as_bytes())
        .expect("certificate and key belong together")
}

fn builder(application: &[u8]) -> ImageBuilder {
    let metadata = Metadata {
        name: "room".into(),
        version: "1".into(),
        kernel_version: "6".into(),
    };
    ImageBuilder::new(b"kernel".to_vec(), "quiet", b"boot".to_vec(), &metadata)
        .and_then(|builder| builder.ramdisk(application.to_vec()))
        .expect("nothing is empty")
}

#[test]
fn a_signature_adds_pcr8_and_changes_no_other_measurement() {
    let keys = keys(&PKCS_ECDSA_P384_SHA384);
    let builder = builder(b"room");
    let bytes = builder.build_signed(&signer(&keys)).expect("a P-384 key");
    let image = Image::parse(&bytes).expect("just written");
    let pcrs = image.pcrs().expect("the certificate can be read");
    let extended = sha384(&[&[0; 48][..], &sha384(&keys.der)].concat());
    assert_eq!(pcrs.pcr8(), Some(&extended));
    assert_eq!(pcrs, builder.pcrs().signed_by(&keys.der));
    let signature = image.signature().expect("well formed").expect("signed");
    assert_eq!(signature.verify(pcrs.pcr0()), Ok(()));
}

#[test]
fn the_section_has_the_form_that_qemu_and_aws_read() {
    let keys = keys(&PKCS_ECDSA_P384_SHA384);
    let bytes = builder(b"room")
        .build_signed(&signer(&keys))
        .expect("a P-384 key");
    let image = Image::parse(&bytes).expect("just written");
    let section = image.sections().last().expect("signed").bytes();
    // QEMU: an array whose first entry is a map of two, whose first key is this text, whose value
    // is an array of one-byte integers.
    assert_eq!(&section[..2], b"\x81\xa2");
    assert_eq!(&section[2..22], b"\x73signing_certificate");
    let length = u16::try_from(keys.certificate.len()).expect("certificates are short");
    let [high, low] = length.to_be_bytes();
    assert_eq!(&section[22..25], [0x99, high, low]);
    // The first letter of "-----BEGIN".
    assert_eq!(&section[25..27], [0x18, b'-']);
}

#[test]
fn a_signature_of_another_image_or_changed_is_refused() {
    let keys = keys(&PKCS_ECDSA_P384_SHA384);
    let bytes = builder(b"room")
        .build_signed(&signer(&keys))
        .expect("a P-384 key");
    let image = Image::parse(&bytes).expect("just written");
    let pcr0 = *image.pcrs().expect("signed").pcr0();
    let other = builder(b"another room").pcrs();
    let section = image.sections().last().expect("signed").bytes();
    assert_eq!(
        verify(section, other.pcr0()),
        Err(InvalidSignature::OtherImage)
    );
    assert_eq!(verify(section, &pcr0), Ok(()));
    // The last byte is that of the ECDSA value's s, as the integer itself or behind 0x18.
    let mut changed = section.to_vec();
    *changed.last_mut().expect("not empty") ^= 1;
    assert_eq!(verify(&changed, &pcr0), Err(InvalidSignature::Wrong));
    changed.push(0);
    assert_eq!(verify(&changed, &pcr0), Err(InvalidSignature::Malformed));
}

/// Verifies a signature section as it would be in a file.
fn verify(section: &[u8], pcr0: &Digest) -> Result<(), InvalidSignature> {
    let mut draft = Draft::good();
    draft.sections.push(draft::section(SIGNATURE, section));
    let bytes = draft.write();
    let image = Image::parse(&bytes).expect("its checksum is right");
    image.signature()?.expect("there is one").verify(pcr0)
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let [a, b] = [(); 2].map(|()| keys(&PKCS_ECDSA_P384_SHA384));
    let p256 = keys(&PKCS_ECDSA_P256_SHA256);
    let refused = |certificate: &str, key: &str| {
        Signer::from_pem(certificate.as_bytes(), key.as_bytes())
            .err()
            .expect("they do not fit")
    };
    assert_eq!(refused(&a.certificate, &b.private), InvalidSigner::Mismatch);
    assert_eq!(
        refused(&p256.certificate, &p256.private),
        InvalidSigner::PrivateKey
    );
    assert_eq!(refused(&a.private, &a.private), InvalidSigner::Certificate);
    assert_eq!(
        refused(&a.certificate, &a.certificate),
        InvalidSigner::PrivateKey
    );
}
