use std::fs;

use attestation::nitro::Measurements;
use image::{ImageBuilder, Metadata};

use crate::synclave;

fn image() -> ImageBuilder {
    let metadata = Metadata {
        name: "room".into(),
        version: "1".into(),
        kernel_version: "6".into(),
    };
    ImageBuilder::new(b"kernel".to_vec(), "quiet", b"boot".to_vec(), &metadata)
        .and_then(|builder| builder.ramdisk(b"application".to_vec()))
        .unwrap()
}

#[test]
fn an_image_is_measured_in_the_form_that_connect_reads() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("room.eif"), image().build()).unwrap();
    let pcrs = image().pcrs();
    let told = synclave(folder.path(), &["measure", "room.eif"]).exits(0);
    let lines = format!(
        "PCR0 {}\nPCR1 {}\nPCR2 {}\n",
        hex::encode(pcrs.pcr0()),
        hex::encode(pcrs.pcr1()),
        hex::encode(pcrs.pcr2())
    );
    assert_eq!(told.stdout(), lines);
    let told = synclave(folder.path(), &["measure", "room.eif", "--json"]).exits(0);
    let read = Measurements::from_json(&told.stdout()).unwrap();
    assert_eq!(read.pcrs(), &[*pcrs.pcr0(), *pcrs.pcr1(), *pcrs.pcr2()]);
}

#[test]
fn an_image_is_described_for_a_person_and_for_a_program() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("room.eif"), image().build()).unwrap();
    let told = synclave(folder.path(), &["inspect", "room.eif"])
        .exits(0)
        .stdout();
    for part in [
        "ramdisk              11 bytes at ",
        "command line quiet",
        "\"ImageName\":\"room\"",
        "not signed",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = synclave(folder.path(), &["inspect", "room.eif", "--json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&told.stdout()).unwrap();
    assert_eq!(document["kind"], "enclave image");
    assert_eq!(document["sections"][3]["bytes"], 4);
    assert_eq!(
        document["Measurements"]["PCR2"],
        hex::encode(image().pcrs().pcr2())
    );
}

#[test]
fn damaged_and_foreign_images_are_told_by_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("room.eif");
    let bytes = image().build();
    fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
    for command in ["measure", "inspect"] {
        synclave(folder.path(), &[command, "room.eif"])
            .exits(3)
            .saying("section 5 of 5 (ramdisk) is cut off");
    }
    fs::write(&file, b"\x7fELF").unwrap();
    synclave(folder.path(), &["measure", "room.eif"])
        .exits(3)
        .saying("where an enclave image has \".eif\"");
}
