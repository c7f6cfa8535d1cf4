use std::fs;

use testkit::authority::{Authority, DocumentFields};

use crate::{shared, synclave};

#[test]
fn real_documents_hold_at_their_time_and_the_debug_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some(valid) = shared("testdata/nitro/valid-2022-10-13.bin") else {
        return;
    };
    let debug = shared("testdata/nitro/debug-2022-10-12.bin").expect("they lie together");
    let (valid, debug) = (valid.to_str().unwrap(), debug.to_str().unwrap());
    let ran = synclave(
        folder.path(),
        &["inspect", valid, "--at", "2022-10-13T09:00:00Z"],
    )
    .exits(0);
    assert!(ran.stdout().contains("AWS Nitro"), "{}", ran.stdout());
    synclave(folder.path(), &["inspect", valid])
        .exits(23)
        .saying("expired");
    synclave(
        folder.path(),
        &["inspect", debug, "--at", "2022-10-12T13:50:10Z"],
    )
    .exits(28)
    .saying("debug mode");
}

#[test]
fn documents_under_a_root_of_ones_own_need_it_to_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::generate();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let document = authority.document(&DocumentFields {
        module_id: "i-0-enc0".to_owned(),
        timestamp_millis: u64::try_from(now.as_millis()).unwrap(),
        pcrs: (0..16).map(|index| (index, vec![index + 1; 48])).collect(),
        public_key: None,
        user_data: Some(b"hello".to_vec()),
        nonce: None,
    });
    fs::write(folder.path().join("root.pem"), authority.root_pem()).unwrap();
    fs::write(folder.path().join("document.bin"), &document).unwrap();
    synclave(folder.path(), &["inspect", "document.bin"])
        .exits(22)
        .saying("unknown root");
    let named = ["inspect", "document.bin", "--dangerous-root", "root.pem"];
    synclave(folder.path(), &named).exits(0).saying("warning");

    fs::write(
        folder.path().join("document.bin"),
        [&document[..], &[0]].concat(),
    )
    .unwrap();
    synclave(folder.path(), &named)
        .exits(21)
        .saying("malformed");
    let mut flipped = document.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(folder.path().join("document.bin"), flipped).unwrap();
    synclave(folder.path(), &named)
        .exits(26)
        .saying("signature");
    fs::write(folder.path().join("document.bin"), b"what is this?").unwrap();
    synclave(folder.path(), &named).exits(21);
    synclave(folder.path(), &["inspect", "no-such-file"])
        .exits(3)
        .saying("no-such-file");
    synclave(folder.path(), &["inspect", "root.pem", "--at", "yesterday"])
        .exits(3)
        .saying("yesterday");
}
