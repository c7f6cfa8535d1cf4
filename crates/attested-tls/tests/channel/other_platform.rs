//! A platform of another kind: 64 bytes of report data, no clock, and one register.
//!
//! Its chip signs with a P-384 key that the client pins. What matters is not its form but that the
//! channel needs nothing of Nitro's.

use std::sync::{Arc, Mutex};

use attestation::{
    AgreementRegister, AttestError, Attester, BoundBy, ChannelBinding, Claims, Evidence, Freshness,
    Policy, Refusal, Register, ReportData, Step, UnixTime, Verifier,
};
use attested_tls::{Acceptor, Channel, Connector, ExpectedRoom, Refused, ServerKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::man_in_the_middle::relay;
use crate::test_room::{AGREEMENT, BOOT, Change, Platform, TestRoom, meet, patiently};

const MAGIC: &[u8; 4] = b"CHIP";
const PROGRAM: [u8; 48] = [5; 48];
/// The only register, and the name of the program.
const REGISTER: &str = "LAUNCH_DIGEST";

/// What the chip signs: magic, whether it is open for debugging, program, report data.
#[derive(Clone, Copy)]
struct Report {
    debug: bool,
    program: [u8; 48],
    report_data: [u8; 64],
}

impl Report {
    const BYTES: usize = 4 + 1 + 48 + 64;

    fn encode(&self) -> Vec<u8> {
        let debug = [u8::from(self.debug)];
        [&MAGIC[..], &debug, &self.program, &self.report_data].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Report> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (debug, rest) = rest.split_first()?;
        let (program, rest) = rest.split_first_chunk()?;
        let well_formed = magic == MAGIC && *debug <= 1;
        well_formed.then_some(Report {
            debug: *debug == 1,
            program: *program,
            report_data: rest.try_into().ok()?,
        })
    }
}

/// The one point in which the chip, the enclave on it or its host lies.
enum Lie {
    None,
    /// The enclave says something else about itself, and the chip signs that.
    Data(Box<dyn Fn(&mut ReportData) + Send + Sync>),
    /// The chip runs something else.
    Report(fn(&mut Report)),
    /// The host passes on other bytes.
    Bytes(Box<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
}

impl Lie {
    fn data(change: impl Fn(&mut ReportData) + Send + Sync + 'static) -> Lie {
        Lie::Data(Box::new(change))
    }

    fn bytes(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Lie {
        Lie::Bytes(Box::new(change))
    }
}

struct Chip {
    key: Arc<EcdsaKeyPair>,
    lie: Lie,
    made: Mutex<Vec<Evidence>>,
}

impl Chip {
    fn new(key: &Arc<EcdsaKeyPair>, lie: Lie) -> Arc<Chip> {
        Arc::new(Chip {
            key: Arc::clone(key),
            lie,
            made: Mutex::default(),
        })
    }
}

impl Attester for Chip {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let mut data = data.clone();
        if let Lie::Data(change) = &self.lie {
            change(&mut data);
        }
        let mut report = Report {
            debug: false,
            program: PROGRAM,
            report_data: data.digest(),
        };
        if let Lie::Report(change) = &self.lie {
            change(&mut report);
        }
        let mut signed = report.encode();
        let signature = self.key.sign(&SystemRandom::new(), &signed);
        signed.extend_from_slice(signature.expect("there is randomness").as_ref());
        let mut evidence = Evidence::detached(&signed, &data);
        if let Lie::Bytes(change) = &self.lie {
            evidence = Evidence::from_bytes(change(evidence.into_bytes()));
        }
        let mut made = self.made.lock().expect("no test panics here");
        made.push(evidence.clone());
        Ok(evidence)
    }
}

#[derive(Debug)]
struct ChipVerifier {
    /// The chip's key, an uncompressed point.
    public_key: Vec<u8>,
}

impl Verifier for ChipVerifier {
    fn claims(
        &self,
        evidence: &Evidence,
        _at: UnixTime,
        _freshness: Freshness,
        steps: &mut Vec<Step>,
    ) -> Result<Claims, Refusal> {
        let malformed = Refusal::Field {
            field: "the report",
            problem: "is not one of this chip",
        };
        let detached = evidence.split()?;
        let parts = detached.report().split_at_checked(Report::BYTES);
        let (signed, signature) = parts.ok_or(malformed.clone())?;
        let report = Report::decode(signed).ok_or(malformed)?;
        steps.push(Step::passed("form", "a report of the chip"));

        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &self.public_key)
            .verify(signed, signature)
            .map_err(|_| Refusal::Signature {
                problem: "the chip's key did not sign these bytes",
            })?;
        steps.push(Step::passed("signature", "ES384, by the chip"));

        let register = REGISTER.to_owned();
        Ok(Claims {
            enclave: "chip".to_owned(),
            made_millis: None,
            bound: detached.bound_by(&report.report_data)?,
            registers: vec![Register {
                name: register.clone(),
                value: report.program.to_vec(),
            }],
            program: match report.debug {
                true => Err(Refusal::DebugMode { register }),
                false => Ok(vec![register]),
            },
            agreement: AgreementRegister::absent(),
        })
    }

    fn claimed_time(&self, _evidence: &Evidence) -> Result<UnixTime, Refusal> {
        Err(Refusal::Field {
            field: "the report",
            problem: "does not tell the time",
        })
    }
}

/// A room on a chip: keys and parties of any room, other evidence.
struct ChipRoom {
    room: TestRoom,
    key: Arc<EcdsaKeyPair>,
}

impl ChipRoom {
    fn new() -> ChipRoom {
        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING);
        ChipRoom {
            room: TestRoom::new(),
            key: Arc::new(key.expect("there is randomness")),
        }
    }

    fn expected(&self) -> ExpectedRoom {
        let public_key = self.key.public_key().as_ref().to_vec();
        let register = Register {
            name: REGISTER.to_owned(),
            value: PROGRAM.to_vec(),
        };
        ExpectedRoom {
            verifier: Arc::new(ChipVerifier { public_key }),
            policy: Policy::new([register]).expect("one register"),
            ..self.room.expected()
        }
    }

    fn connector(&self) -> Connector {
        Connector::new(&self.room.alice, self.expected())
    }

    fn acceptor(&self, lie: Lie) -> Acceptor {
        self.room.acceptor_with(Chip::new(&self.key, lie))
    }

    /// Why Alice refuses a room that lies; she sends nothing after her nonce.
    async fn refusal(&self, connector: &Connector, lie: Lie) -> Refused {
        let (channel, accepted) = meet(connector, &self.acceptor(lie)).await;
        let refused = channel.map(|_| ()).expect_err("the room lies");
        let mut accepted = accepted.expect("the liar itself sees nothing wrong");
        let mut received = Vec::new();
        // She just went away, which may or may not be an error.
        let _ = patiently(accepted.stream.read_to_end(&mut received)).await;
        assert!(received.is_empty(), "{} bytes were sent", received.len());
        refused
    }

    async fn slug(&self, lie: Lie) -> &'static str {
        self.refusal(&self.connector(), lie).await.slug()
    }
}

#[tokio::test]
async fn a_channel_opens_on_another_platform_and_bytes_flow_both_ways() {
    let chip = ChipRoom::new();
    let (channel, accepted) = meet(&chip.connector(), &chip.acceptor(Lie::None)).await;
    let Channel {
        mut stream,
        verified,
    } = channel.expect("it is right");
    let mut far = accepted.expect("it is right").stream;
    let mut buffer = [0; 5];
    patiently(async {
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        far.read_exact(&mut buffer).await?;
        far.write_all(&buffer).await?;
        far.flush().await?;
        stream.read_exact(&mut buffer).await
    })
    .await
    .expect("both ends are open");
    assert_eq!(&buffer, b"hello");
    let attested = verified.attested();
    assert_eq!(attested.bound.by(), BoundBy::Digest);
    let key = chip.room.server_key.spki();
    assert_eq!(attested.bound.public_key(), Some(key));
    let checks: Vec<_> = verified.steps().iter().map(Step::check).collect();
    let expected = [
        "size",
        "form",
        "signature",
        "report data",
        "measurements",
        "agreement register",
        "server key",
        "nonce",
        "connection",
        "agreement",
        "room",
    ];
    assert_eq!(checks, expected);
    assert_eq!(
        verified.steps()[5].to_string(),
        "agreement register: not reported by this platform"
    );
}

#[tokio::test]
async fn a_chip_of_another_key_program_or_state_is_refused() {
    let (chip, other) = (ChipRoom::new(), ChipRoom::new());
    let stranger = Connector::new(&chip.room.alice, other.expected());
    let refused = chip.refusal(&stranger, Lie::None).await;
    assert_eq!(refused.slug(), "bad-signature");
    let program = Lie::Report(|report| report.program[47] ^= 1);
    let refused = chip.refusal(&chip.connector(), program).await;
    assert_eq!(refused.slug(), "wrong-measurement");
    assert!(refused.to_string().contains(REGISTER), "{refused}");
    let debug = Lie::Report(|report| report.debug = true);
    assert_eq!(chip.slug(debug).await, "debug-mode");
}

/// Report and data beside it each reach the client through the host, which may change either.
#[tokio::test]
async fn data_beside_the_report_that_it_does_not_commit_to_is_refused() {
    let chip = ChipRoom::new();
    // The last byte of the evidence is the last of the data: the boot nonce.
    let altered = Lie::bytes(|mut bytes| {
        *bytes.last_mut().expect("it is not empty") ^= 1;
        bytes
    });
    let refused = chip.refusal(&chip.connector(), altered).await;
    assert!(
        matches!(refused, Refused::Evidence(Refusal::UnboundData)),
        "{refused}"
    );
    let other = Lie::Report(|report| report.report_data[0] ^= 1);
    let refused = chip.refusal(&chip.connector(), other).await;
    assert!(
        matches!(refused, Refused::Evidence(Refusal::UnboundData)),
        "{refused}"
    );
    // True data for this very connection, beside a true report about an earlier one.
    let platform = Chip::new(&chip.key, Lie::None);
    let acceptor = chip.room.acceptor_with(platform.clone());
    let (channel, _) = meet(&chip.connector(), &acceptor).await;
    channel.expect("it is right");
    let earlier = platform.made.lock().expect("no test panics here")[0].clone();
    let spliced = Lie::bytes(move |bytes| {
        let report = earlier.split().expect("honest").report().to_vec();
        let now = Evidence::from_bytes(bytes);
        let len = now.split().expect("honest").report().len();
        assert_eq!(len, report.len());
        let mut bytes = now.into_bytes();
        let at = bytes.windows(4).position(|window| window == MAGIC);
        let at = at.expect("the report begins with it");
        bytes[at..at + len].copy_from_slice(&report);
        bytes
    });
    let refused = chip.refusal(&chip.connector(), spliced).await;
    assert!(
        matches!(refused, Refused::Evidence(Refusal::UnboundData)),
        "{refused}"
    );
}

#[tokio::test]
async fn a_signed_report_about_another_key_challenge_connection_or_room_is_refused() {
    let chip = ChipRoom::new();
    let key = Lie::data(|data| data.public_key = Some(vec![4; 91]));
    assert_eq!(chip.slug(key).await, "wrong-server-key");
    let no_key = Lie::data(|data| data.public_key = None);
    assert_eq!(chip.slug(no_key).await, "wrong-server-key");
    let nonce = Lie::data(|data| data.nonce = Some(vec![7; 32]));
    assert_eq!(chip.slug(nonce).await, "wrong-nonce");
    let rebound = |exporter: bool, agreement: [u8; 48], boot: [u8; 32]| {
        Lie::data(move |data| {
            let honest = ChannelBinding::decode(data.user_data.as_deref().expect("a binding"));
            let mut value = *honest.expect("a binding").exporter();
            value[0] ^= u8::from(exporter);
            data.user_data = Some(ChannelBinding::new(value, agreement, boot).encode());
        })
    };
    let relayed = chip.slug(rebound(true, AGREEMENT, BOOT)).await;
    assert_eq!(relayed, "evidence-relayed");
    let other = chip.slug(rebound(false, [0xcc; 48], BOOT)).await;
    assert_eq!(other, "wrong-agreement");
    let expected = ExpectedRoom {
        id: Some(attestation::room_id(&AGREEMENT, &BOOT)),
        ..chip.expected()
    };
    let connector = Connector::new(&chip.room.alice, expected);
    let restarted = rebound(false, AGREEMENT, [0xdd; 32]);
    let refused = chip.refusal(&connector, restarted).await;
    assert_eq!(refused.slug(), "wrong-room");
    let silent = Lie::data(|data| data.user_data = None);
    assert_eq!(chip.slug(silent).await, "binding-malformed");
}

#[tokio::test]
async fn evidence_relayed_by_mallory_is_refused_on_another_platform_too() {
    let chip = ChipRoom::new();
    for (front_key, slug) in [
        (ServerKey::generate(), "wrong-server-key"),
        // The room's own key has leaked.
        (chip.room.server_key.clone(), "evidence-relayed"),
    ] {
        let platform = Chip::new(&chip.key, Lie::None);
        let (front, relay) = relay(&chip.room, platform, front_key);
        let (channel, _) = meet(&chip.connector(), &front).await;
        let refused = channel.map(|_| ()).expect_err("Mallory stands between");
        assert_eq!(refused.slug(), slug);
        assert_eq!(*relay.relayed.lock().expect("no test panics here"), 1);
    }
}

#[tokio::test]
async fn evidence_of_an_earlier_connection_is_refused_on_another_platform_too() {
    let chip = ChipRoom::new();
    let platform = Chip::new(&chip.key, Lie::None);
    let acceptor = chip.room.acceptor_with(platform.clone());
    let (channel, _) = meet(&chip.connector(), &acceptor).await;
    channel.expect("it is right");
    let recorded = platform.made.lock().expect("no test panics here")[0].clone();
    let replay = Lie::bytes(move |_| recorded.as_bytes().to_vec());
    assert_eq!(chip.slug(replay).await, "wrong-nonce");
}

/// Nothing in the bytes decides who judges them.
#[tokio::test]
async fn evidence_of_one_platform_is_malformed_to_another() {
    let chip = ChipRoom::new();
    let nitro = Platform::new(&chip.room.authority, Change::None);
    let acceptor = chip.room.acceptor_with(nitro);
    let (channel, _) = meet(&chip.connector(), &acceptor).await;
    let refused = channel.map(|_| ()).expect_err("a document of Nitro");
    assert_eq!(refused.slug(), "evidence-malformed");
    let refused = chip.refusal(&chip.room.connector(), Lie::None).await;
    assert_eq!(refused.slug(), "evidence-malformed");
}
