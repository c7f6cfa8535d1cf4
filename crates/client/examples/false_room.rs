//! A room that is not what it says, for tests of those who connect to one.
//!
//! Usage: `false_room FOLDER PUBLIC_KEY HONEST LIE`. It has the agreement of a folder, lets the
//! holder of one key in, and gives true evidence to the first HONEST connections, which it serves
//! the agreement. To all others it lies: `relay` (evidence made for another connection),
//! `measurement` (another program), `agreement` (bound to another agreement). It prints one line of
//! JSON with its port, root and measurements; then, for each connection to which it lied, how many
//! bytes the client sent after it had seen the evidence. It ends with its standard input.
#![expect(clippy::print_stdout, reason = "a program reads it")]

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use attestation::nitro::Measurements;
use attestation::nitro::authority::{Authority, DocumentFields};
use attestation::{AttestError, Attester, ChannelBinding, Evidence, ReportData};
use attested_tls::{Acceptor, ServerKey};
use protocol::{Agreement, AgreementReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, public_key, honest, lie] = arguments.as_slice() else {
        return Err("usage: false_room FOLDER PUBLIC_KEY HONEST LIE".into());
    };
    let agreement = enclave::read_agreement(Path::new(folder))?;
    let name = agreement.sha384().to_bytes();
    let platform = Arc::new(FalsePlatform {
        authority: Authority::generate(),
        agreement: name,
        honest: AtomicUsize::new(honest.parse()?),
        lie: lie.parse()?,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let measurements: serde_json::Value =
        serde_json::from_str(&Measurements::new(PROGRAM, PROGRAM, PROGRAM)?.to_json())?;
    println!(
        "{}",
        serde_json::json!({
            "port": listener.local_addr()?.port(),
            "root": platform.authority.root_pem(),
            "measurements": measurements,
        })
    );
    let acceptor = Acceptor::new(
        ServerKey::generate(),
        [std::fs::read(public_key)?],
        Arc::clone(&platform) as Arc<dyn Attester>,
        name,
        [5; 32],
    );
    std::thread::spawn(|| {
        // Whoever started it may end without a word.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::exit(0);
    });
    serve(&listener, &acceptor, &platform, &agreement).await
}

/// What every register of the true program holds.
const PROGRAM: [u8; 48] = [1; 48];

async fn serve(
    listener: &TcpListener,
    acceptor: &Acceptor,
    platform: &FalsePlatform,
    agreement: &Agreement,
) -> Outcome<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let is_honest = platform.honest.load(Ordering::SeqCst) > 0;
        let Ok(accepted) = acceptor.accept(stream).await else {
            // The client has hung up.
            continue;
        };
        let mut stream = accepted.stream;
        if is_honest {
            let reply = AgreementReply {
                agreement: agreement.clone(),
                agreement_sha384: agreement.sha384(),
            };
            let reply = serde_json::to_string(&reply)?;
            let _ = stream.read(&mut [0; 4096]).await?;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", reply.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(reply.as_bytes()).await?;
        } else {
            println!("{}", received(stream).await);
        }
    }
}

/// How much comes after the evidence was shown.
async fn received(mut stream: tokio_rustls::server::TlsStream<TcpStream>) -> usize {
    let mut sent = Vec::new();
    // It may end without a word, as the client has seen enough.
    let _ = stream.read_to_end(&mut sent).await;
    sent.len()
}

#[derive(Clone, Copy)]
enum Lie {
    Relay,
    Measurement,
    Agreement,
}

impl std::str::FromStr for Lie {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "relay" => Ok(Self::Relay),
            "measurement" => Ok(Self::Measurement),
            "agreement" => Ok(Self::Agreement),
            _ => Err(format!("no lie is named {name:?}")),
        }
    }
}

/// Signs what it likes, under a root of its own.
struct FalsePlatform {
    authority: Authority,
    agreement: [u8; 48],
    /// To how many more it tells the truth.
    honest: AtomicUsize,
    lie: Lie,
}

impl Attester for FalsePlatform {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("a time after 1970").as_millis();
        let program = (0..3).map(|index| (index, PROGRAM.to_vec()));
        let agreement = (16, attestation::extended_register(&self.agreement).to_vec());
        let mut fields = DocumentFields {
            module_id: "made-up".to_owned(),
            timestamp_millis: u64::try_from(now).expect("a time in this age"),
            pcrs: program.chain([agreement]).collect(),
            public_key: data.public_key.clone(),
            user_data: data.user_data.clone(),
            nonce: data.nonce.clone(),
        };
        let spend = |left: usize| left.checked_sub(1);
        let ordering = Ordering::SeqCst;
        if self.honest.fetch_update(ordering, ordering, spend).is_err() {
            self.lie.tell(&mut fields);
        }
        Ok(Evidence::from_bytes(self.authority.document(&fields)))
    }
}

impl Lie {
    fn tell(self, fields: &mut DocumentFields) {
        let user_data = fields.user_data.take().expect("the acceptor put it in");
        let true_one = ChannelBinding::decode(&user_data).expect("the acceptor made it");
        let (mut exporter, mut agreement) = (*true_one.exporter(), *true_one.agreement());
        match self {
            Self::Relay => exporter[0] ^= 1,
            Self::Measurement => fields.pcrs.insert(0, vec![2; 48]).map_or((), drop),
            Self::Agreement => agreement[0] ^= 1,
        }
        let binding = ChannelBinding::new(exporter, agreement, *true_one.boot());
        fields.user_data = Some(binding.encode());
    }
}
