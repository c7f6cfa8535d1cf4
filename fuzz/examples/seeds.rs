//! Makes the seeds anew: two true documents under a root whose key is forgotten at once.
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds -- fuzz/seeds
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use attestation::authority::{Authority, DocumentFields, MapForm};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name the folder of the seeds")?);
    let authority = Authority::generate();
    let pcrs: BTreeMap<u8, Vec<u8>> = (0..17).map(|index| (index, vec![index + 1; 48])).collect();
    let fields = DocumentFields {
        module_id: "i-0123456789abcdef0-enc0123456789abcdef".to_owned(),
        timestamp_millis: 1_760_000_000_000,
        pcrs,
        public_key: Some(vec![4; 91]),
        user_data: Some(vec![5; 200]),
        nonce: Some(vec![6; 32]),
    };
    std::fs::write(folder.join("root.pem"), authority.root_pem())?;
    for (name, form) in [("definite", MapForm::Definite), ("indefinite", MapForm::Indefinite)] {
        let document = authority.document_in(form, &fields);
        std::fs::write(folder.join("documents").join(name), document)?;
    }
    Ok(())
}
