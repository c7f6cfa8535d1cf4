//! Measurements, against constants that Python computed with hashlib and struct:
//!
//! ```python
//! h = lambda *parts: hashlib.sha384(b"".join(parts)).digest()
//! extended = lambda digest: h(bytes(48), digest).hex()
//! k, c = b"kernel " * 100, b"console=ttyS0"
//! boot, app = b"boot ramdisk " * 50, b"application " * 70
//! PCR0, PCR1, PCR2 = extended(h(k, c, boot, app)), extended(h(k, c, boot)), extended(h(app))
//! ```

use image::{Image, ImageBuilder, InvalidImage, Metadata, Pcrs, sha384};

use crate::draft::Draft;

/// Of the file that an image writer of 12 lines of Python made of the same sections.
const FILE: &str = "c7f4f7edd0e11a10a8639cb1cd7285a7375019be6375ab645c316e304a66a7091e74978e449018ac9f954d6880f687e4";
const PCR0: &str = "7f633d6dc17c3278956c4f23c86b1ca1f99d5d4cea1194fd70aa3a96a4d7868edb4a77aba6bd46369c4105d1a6bec116";
const PCR1: &str = "b876299c57ec8b5f247a64b8a91dd0d5cbbad86e82e30b513c2efd780c1dc81130e36d7d7e0cf5aabf418093a6f79131";
const PCR2: &str = "c00de652f98f0e3f2e4b8e8f7b6725abd0c72ab812d3690e387d27376197918c910eddca5f4e24e9fcf3ff891efa5a6e";
/// With a third ramdisk, `b"third"`.
const PCR0_OF_THREE: &str = "31e703bd1aad0fd99d10f8161f725edb06ca7c7cbc7d6e833e29eda38d244484397fccc1f608af2af814d46891f155ad";
const PCR2_OF_THREE: &str = "96cdbe98b0c72c98139b47caa6dde9693273a43f145bf60c9d76d235281bdf0cbb0a501d8a726949229c42e365ef1548";
/// A register extended with the hash of nothing.
const NOTHING: &str = "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a";

fn builder(command_line: &str) -> Result<ImageBuilder, InvalidImage> {
    let metadata = Metadata {
        name: "room".into(),
        version: "1".into(),
        kernel_version: "6".into(),
    };
    ImageBuilder::new(
        b"kernel ".repeat(100),
        command_line,
        b"boot ramdisk ".repeat(50),
        &metadata,
    )
}

fn hex_of(pcrs: &Pcrs) -> [String; 3] {
    [pcrs.pcr0(), pcrs.pcr1(), pcrs.pcr2()].map(hex::encode)
}

#[test]
fn an_image_from_elsewhere_has_the_measurements_computed_elsewhere() {
    let bytes = Draft::good().write();
    assert_eq!(hex::encode(sha384(&bytes)), FILE);
    let image = Image::parse(&bytes).expect("nothing is wrong with it");
    let pcrs = image.pcrs().expect("it is unsigned");
    assert_eq!(hex_of(&pcrs), [PCR0, PCR1, PCR2]);
    assert_eq!(pcrs.pcr8(), None);
}

#[test]
fn with_one_ramdisk_pcr0_is_pcr1_and_pcr2_is_of_nothing() {
    let pcrs = builder("console=ttyS0").expect("nothing is empty").pcrs();
    assert_eq!(hex_of(&pcrs), [PCR1, PCR1, NOTHING]);
}

#[test]
fn each_further_ramdisk_counts_as_application() {
    let two = builder("console=ttyS0")
        .and_then(|builder| builder.ramdisk(b"application ".repeat(70)))
        .expect("none is empty");
    assert_eq!(hex_of(&two.pcrs()), [PCR0, PCR1, PCR2]);
    let three = two.ramdisk(b"third".to_vec()).expect("it is not empty");
    assert_eq!(hex_of(&three.pcrs()), [PCR0_OF_THREE, PCR1, PCR2_OF_THREE]);
}

#[test]
fn metadata_changes_the_file_but_no_measurement() {
    let metadata = |name: &str| Metadata {
        name: name.into(),
        version: "1".into(),
        kernel_version: "6".into(),
    };
    let [a, b] = ["a", "b"].map(|name| {
        ImageBuilder::new(vec![1], "quiet", vec![2], &metadata(name)).expect("nothing is empty")
    });
    assert_ne!(a.build(), b.build());
    assert_eq!(a.pcrs(), b.pcrs());
}

#[test]
fn the_json_is_that_of_nitro_cli() {
    let pcrs = builder("console=ttyS0").expect("nothing is empty").pcrs();
    assert_eq!(
        pcrs.to_json().to_string(),
        format!(
            r#"{{"Measurements":{{"HashAlgorithm":"Sha384 {{ ... }}","PCR0":"{PCR1}","PCR1":"{PCR1}","PCR2":"{NOTHING}"}}}}"#
        )
    );
}

#[test]
fn parts_that_no_kernel_takes_make_no_image() {
    let long = "x".repeat(2048);
    let refused = builder(&long).expect_err("too long");
    assert_eq!(refused, InvalidImage::LongCommandLine { bytes: 2048 });
    assert!(builder(&long[1..]).is_ok());
    for (command_line, found) in [("a\0b", '\0'), ("a\nb", '\n'), ("ä", 'ä')] {
        let refused = builder(command_line).expect_err("a strange character");
        assert_eq!(refused, InvalidImage::CommandLineCharacter { found });
    }
    let refused = builder("").and_then(|builder| builder.ramdisk(Vec::new()));
    assert_eq!(refused.expect_err("empty"), InvalidImage::EmptyRamdisk);
    let mut full = builder("").expect("an empty command line is one");
    for _ in 0..27 {
        full = full.ramdisk(vec![0]).expect("there is room");
    }
    let refused = full.ramdisk(vec![0]).expect_err("full");
    assert_eq!(refused, InvalidImage::TooManyRamdisks);
}
