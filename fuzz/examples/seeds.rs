//! Makes the seeds anew: small files of every kind, such as the programs themselves write.
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds -- fuzz/seeds
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attestation::nitro::authority::{Authority, DocumentFields, MapForm};
use attested_tls::{ClientKey, KeyAlgorithm};
use image::{ImageBuilder, Metadata, Signer};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use privacy::{Delta, Epsilon, LedgerRecord, NoiseRng};
use protocol::{
    AgreementHash, Digest, KeyFingerprint, RECEIPT_VERSION, Receipt, ReceiptParty, ReceiptSamples,
    RoomId, SignedReceipt,
};
use serde_json::Map;
use synthesis::{FitPlan, KnownColumns, Method, Model};
use schema::{Declaration, Schema};
use tabular::CodedTable;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let root = PathBuf::from(std::env::args().nth(1).ok_or("name the folder of the seeds")?);
    let folder = |name: &str| {
        let folder = root.join(name);
        fs::create_dir_all(&folder).map(|()| folder)
    };
    documents(&root, &folder("documents")?)?;
    models(&folder("models")?)?;
    receipts(&folder("receipts")?)?;
    images(&folder("images")?)?;
    service_yaml(&folder("service_yaml")?)?;
    parquet(&folder("parquet")?)?;
    websocket(&folder("websocket")?)?;
    proxy_protocol(&folder("proxy_protocol")?)
}

/// Two true documents, under a root whose key is forgotten at once.
fn documents(root: &Path, folder: &Path) -> Outcome {
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
    fs::write(root.join("root.pem"), authority.root_pem())?;
    for (name, form) in [("definite", MapForm::Definite), ("indefinite", MapForm::Indefinite)] {
        fs::write(folder.join(name), authority.document_in(form, &fields))?;
    }
    Ok(())
}

/// The body of a model of each method.
fn models(folder: &Path) -> Outcome {
    const HEADER_BYTES: usize = 33;
    let methods = [
        Method::Grain,
        Method::Mst,
        Method::Aim,
        Method::Mwem,
        Method::Copula,
        Method::Independent,
    ];
    for method in methods {
        let mut file = Vec::new();
        model(method)?.save(&mut file)?;
        let name = method.to_string().to_lowercase();
        fs::write(folder.join(name), &file[HEADER_BYTES..])?;
    }
    Ok(())
}

fn model(method: Method) -> Result<Model, Box<dyn Error>> {
    const YAML: &str = "a: {categories: [x, y, 'z 1'], other: true}\nb: {integer: {min: 0, max: \
                        59, bins: 12}}\n\
        c: {categories: [no, yes], nullable: true}\nd: {date: {min: 2024-01-01, max: 2024-12-31, \
        bins: 4}}\n\
        e: {number: {min: 0, max: 10, bins: {cuts: [0.5, 2]}}, nullable: true}\n";
    let schema = Schema::new(Declaration::from_yaml(YAML)?)?;
    let sizes = schema.sizes();
    let codes = |size: &usize| -> Vec<u32> {
        let size = u32::try_from(*size).expect("small");
        (0..500_u32).map(|row| row * row % 97 % size).collect()
    };
    let columns: Vec<Vec<u32>> = sizes.iter().map(codes).collect();
    let table = CodedTable::from_codes(schema, &columns)?;
    let plan = FitPlan::new(method, Epsilon::new(1.0)?, Delta::new(1e-6)?);
    let plan = plan.check(KnownColumns::dangerous_from_data())?;
    let mut go_on = |_| ControlFlow::Continue(());
    Ok(plan.open_coded(table).fit(&mut NoiseRng::from_os()?, &mut go_on)?)
}

/// Receipts by both kinds of accounting.
fn receipts(folder: &Path) -> Outcome {
    for method in [Method::Mst, Method::Mwem] {
        let receipt = receipt(method, model(method)?.ledger().clone());
        let signed = SignedReceipt::new(receipt.to_text(), b"a document");
        let name = method.to_string().to_lowercase();
        fs::write(folder.join(&name), serde_json::to_string(&signed)?)?;
    }
    Ok(())
}

fn receipt(method: Method, ledger: LedgerRecord) -> Receipt {
    let party = |name: &str, byte| ReceiptParty {
        name: name.to_owned(),
        key: KeyFingerprint::from_bytes([byte; 32]),
        input: Digest::from_bytes([byte; 48]),
    };
    Receipt {
        version: RECEIPT_VERSION,
        room: RoomId::from_bytes([7; 32]),
        agreement_sha384: AgreementHash::from_bytes([8; 48]),
        parties: vec![party("Alice", 1), party("Bob", 2)],
        method: method.to_string(),
        params: Map::new(),
        ledger,
        model: Digest::from_bytes([9; 48]),
        samples: vec![ReceiptSamples { user: "Alice".to_owned(), requests: 2, rows: 1100 }],
    }
}

/// An image with two ramdisks, and the same signed.
fn images(folder: &Path) -> Outcome {
    let metadata =
        Metadata { name: "room".into(), version: "1".into(), kernel_version: "6.12".into() };
    let mut kernel = vec![0; 0x700];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x400_u16.to_le_bytes());
    kernel[0x600..0x608].copy_from_slice(b"6.12 (x)");
    let image = ImageBuilder::new(kernel, "quiet", b"boot".to_vec(), &metadata)?
        .ramdisk(b"application".to_vec())?;
    fs::write(folder.join("unsigned"), image.build())?;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?;
    let parameters = rcgen::CertificateParams::new(vec!["signer.example".into()])?;
    let certificate = parameters.self_signed(&key)?;
    let signer = Signer::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())?;
    fs::write(folder.join("signed"), image.build_signed(&signer)?)?;
    Ok(())
}

/// Two parties with keys of different kinds, whom the seeds of `runtime_yaml` name.
fn service_yaml(folder: &Path) -> Outcome {
    let [alice, bob] = [KeyAlgorithm::P256, KeyAlgorithm::Ed25519]
        .map(|algorithm| ClientKey::generate(algorithm).public_text());
    let text = format!(
        "auth:\n- {{auth_name: default, auth_type: signed_headers}}\npaths:\n\
         - {{path: /upload_data, access: data_provider, short_description: upload a table}}\n\
         - {{path: /samples, access: data_provider}}\nroles:\n\
         - {{role_name: data_provider, role_auth: default, role_cardinality: 2}}\n\
         traffic:\n  inbound: [{{name: main_io, port: 443, type: tcp}}]\n  outbound: []\nusers:\n  \
         data_provider:\n\
         \x20 - {{user_name: Alice, public_key: {alice}}}\n  - {{user_name: Bob, public_key: \
         {bob}}}\n"
    );
    fs::write(folder.join("two_parties.yaml"), text)?;
    Ok(())
}

/// One table by every codec.
fn parquet(folder: &Path) -> Outcome {
    let codecs = [
        ("plain", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("gzip", Compression::GZIP(GzipLevel::default())),
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
    ];
    for (name, codec) in codecs {
        fs::write(folder.join(name), parquet_file(codec)?)?;
    }
    Ok(())
}

fn parquet_file(codec: Compression) -> Result<Vec<u8>, Box<dyn Error>> {
    const SCHEMA: &str = "message table { required int32 id; required binary size (STRING); \
        optional double income; required int32 joined (DATE); }";
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties)?;
    let mut group = writer.next_row_group()?;
    let sizes = ["small", "large", "7", "huge"].map(ByteArray::from);
    let mut column = group.next_column()?.ok_or("a column")?;
    column.typed::<Int32Type>().write_batch(&[1, 2, 3, 4], None, None)?;
    column.close()?;
    let mut column = group.next_column()?.ok_or("a column")?;
    column.typed::<ByteArrayType>().write_batch(&sizes, None, None)?;
    column.close()?;
    let mut column = group.next_column()?.ok_or("a column")?;
    column.typed::<DoubleType>().write_batch(&[0.5, -3.25, 1e5], Some(&[1, 0, 1, 1]), None)?;
    column.close()?;
    let mut column = group.next_column()?.ok_or("a column")?;
    column.typed::<Int32Type>().write_batch(&[17_000, 17_001, 19_000, 20_000], None, None)?;
    column.close()?;
    group.close()?;
    writer.close()?;
    Ok(file)
}

/// What a client sends: messages whole and in frames, a ping, and a close.
fn websocket(folder: &Path) -> Outcome {
    const CLOSE: u8 = 0x88;
    let messages = [frame(0x82, b"hello"), frame(0x89, b"?"), frame(0x82, &[7; 200])].concat();
    fs::write(folder.join("messages"), [messages, frame(CLOSE, &[3, 232])].concat())?;
    let pieces = [frame(0x02, b"one"), frame(0x00, b"two"), frame(0x80, b"three")].concat();
    fs::write(folder.join("pieces"), [pieces, frame(CLOSE, b"")].concat())?;
    Ok(())
}

/// A frame as RFC 6455 has it (section 5.2), masked as a client's must be.
fn frame(start: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut frame = vec![start];
    match u8::try_from(payload.len()) {
        Ok(length @ ..126) => frame.push(0x80 | length),
        _ => {
            let length = u16::try_from(payload.len()).expect("a short message");
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Headers for both families of addresses, one with a record, and a load balancer's own.
fn proxy_protocol(folder: &Path) -> Outcome {
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    const V4: &[u8] = &[192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];
    let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[1; 28], &[0x30, 0x39, 0x01, 0xbb]].concat();
    let with_record = [V4, &[0x04, 0, 3], b"abc"].concat();
    let headers: [(&str, [u8; 2], &[u8]); 4] = [
        ("v4", [0x21, 0x11], V4),
        ("v6", [0x21, 0x21], &v6),
        ("record", [0x21, 0x11], &with_record),
        ("balancer", [0x20, 0x00], &[]),
    ];
    for (name, start, rest) in headers {
        let length = u16::try_from(rest.len())?.to_be_bytes();
        fs::write(folder.join(name), [SIGNATURE, &start, &length, rest].concat())?;
    }
    Ok(())
}
