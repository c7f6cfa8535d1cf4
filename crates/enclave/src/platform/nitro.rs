//! The Nitro security module (NSM): the hypervisor's own witness of what runs in this enclave.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};

use attestation::{AttestError, Attester, Evidence, ReportData, extended_register};
use aws_nitro_enclaves_nsm_api::api::{Digest, ErrorCode, Request, Response};
use aws_nitro_enclaves_nsm_api::driver::nsm_process_request;
use tokio::sync::watch;

const DEVICE: &str = "/dev/nsm";
/// The register of the agreement, as requests name it.
const AGREEMENT_PCR: u16 = attestation::nitro::AGREEMENT_PCR as u16;

/// The security module of the enclave that this process runs in, with PCR16 untouched when it was
/// opened.
///
/// Requests block, and are made one after the other.
#[derive(Clone)]
pub(crate) struct NitroPlatform {
    nsm: Arc<Mutex<Ask>>,
    lost: Arc<watch::Sender<bool>>,
    debug: bool,
}

/// Answers a request, as the device does.
type Ask = Box<dyn FnMut(Request) -> Response + Send>;

/// Why the security module is of no use.
#[derive(Debug, thiserror::Error)]
pub enum NsmError {
    /// The machine has no security module.
    #[error("the security module's device, {DEVICE}, cannot be opened: {0}")]
    Missing(#[source] io::Error),
    /// It answers with an error.
    #[error("the security module refused {request}: {code:?}")]
    Refused {
        /// What it was asked for.
        request: &'static str,
        /// Why it does not.
        code: ErrorCode,
    },
    /// It answers something else than it was asked.
    #[error("the security module's reply to {request} is not one")]
    Reply {
        /// What it was asked for.
        request: &'static str,
    },
    /// It is not the kind of module that this program knows.
    #[error("the security module does not keep more than {AGREEMENT_PCR} registers of SHA-384")]
    Kind,
    /// Someone could still change what the image was measured to be.
    #[error("PCR{0} is not locked")]
    Unlocked(u16),
    /// Someone has extended or locked PCR16 before.
    #[error("PCR{AGREEMENT_PCR} was used before")]
    Used,
    /// PCR16 does not hold what it was extended with.
    #[error("PCR{AGREEMENT_PCR} does not hold the agreement after it was extended with it")]
    Differs,
}

impl NitroPlatform {
    /// Opens the device, and looks whether the module is fit to vouch for a room: registers of
    /// SHA-384, PCR0 to PCR2 locked, PCR16 zero and unlocked.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn open() -> Result<Self, NsmError> {
        let device: File = OpenOptions::new()
            .read(true)
            .write(true)
            .open(DEVICE)
            .map_err(NsmError::Missing)?;
        Self::answered_by(move |request| nsm_process_request(device.as_raw_fd(), request))
    }

    // Apart from the device, so that tests can answer in its place.
    fn answered_by(
        ask: impl FnMut(Request) -> Response + Send + 'static,
    ) -> Result<Self, NsmError> {
        let mut platform = Self {
            nsm: Arc::new(Mutex::new(Box::new(ask))),
            lost: Arc::new(watch::Sender::new(false)),
            debug: false,
        };
        // What the module is, before any of its answers is believed.
        platform.fit()?;
        platform.debug = platform.pcr(0)?.value == [0; 48];
        // Zero and unlocked: anything else was used by somebody before us.
        match platform.pcr(AGREEMENT_PCR)? {
            Pcr { value, locked } if value == [0; 48] && !locked => Ok(platform),
            Pcr { .. } => Err(NsmError::Used),
        }
    }

    /// Whether the enclave runs in debug mode: then its memory is open to the host, its
    /// measurements are zero, and no client trusts it.
    pub(crate) fn is_debug(&self) -> bool {
        self.debug
    }

    /// Random bytes of the hypervisor's, at least one.
    ///
    /// # Errors
    /// When the module gives none.
    pub(crate) fn random(&self) -> Result<Vec<u8>, NsmError> {
        const REQUEST: &str = "GetRandom";
        match self.ask(Request::GetRandom) {
            Response::GetRandom { random } if !random.is_empty() => Ok(random),
            other => Err(unanswered(REQUEST, other)),
        }
    }

    /// Extends PCR16 with the agreement and locks it.
    ///
    /// # Errors
    /// When PCR16 does not hold exactly this afterwards, locked.
    pub(crate) fn measure(&self, agreement: &[u8; 48]) -> Result<NitroAttester, NsmError> {
        let expected = Pcr {
            value: extended_register(agreement),
            locked: true,
        };
        let extend = Request::ExtendPCR {
            index: AGREEMENT_PCR,
            data: agreement.to_vec(),
        };
        // The answer of the extension is compared as well: a module that lies twice the same way is
        // beyond us.
        match self.ask(extend) {
            Response::ExtendPCR { data } if data == expected.value => {}
            Response::ExtendPCR { .. } => return Err(NsmError::Differs),
            other => return Err(unanswered("ExtendPCR", other)),
        }
        let lock = Request::LockPCR {
            index: AGREEMENT_PCR,
        };
        match self.ask(lock) {
            Response::LockPCR => {}
            other => return Err(unanswered("LockPCR", other)),
        }
        // Read back: what was asked for is not yet what is there.
        if self.pcr(AGREEMENT_PCR)? != expected {
            return Err(NsmError::Differs);
        }
        Ok(NitroAttester {
            platform: self.clone(),
            expected,
        })
    }

    /// Waits until the module has failed an attester for good.
    pub(crate) async fn lost(&self) {
        let mut lost = self.lost.subscribe();
        // The sender is this platform's own, so that it is there to the end.
        drop(lost.wait_for(|lost| *lost).await);
    }

    fn fit(&self) -> Result<(), NsmError> {
        match self.ask(Request::DescribeNSM) {
            Response::DescribeNSM {
                max_pcrs,
                locked_pcrs,
                digest,
                ..
            } => {
                if digest != Digest::SHA384 || max_pcrs <= AGREEMENT_PCR {
                    return Err(NsmError::Kind);
                }
                match (0..=2).find(|index| !locked_pcrs.contains(index)) {
                    Some(index) => Err(NsmError::Unlocked(index)),
                    None => Ok(()),
                }
            }
            other => Err(unanswered("DescribeNSM", other)),
        }
    }

    fn pcr(&self, index: u16) -> Result<Pcr, NsmError> {
        const REQUEST: &str = "DescribePCR";
        match self.ask(Request::DescribePCR { index }) {
            Response::DescribePCR { lock, data } => Ok(Pcr {
                value: data
                    .try_into()
                    .map_err(|_| NsmError::Reply { request: REQUEST })?,
                locked: lock,
            }),
            other => Err(unanswered(REQUEST, other)),
        }
    }

    fn ask(&self, request: Request) -> Response {
        // A call that panicked has left nothing behind: each is one system call.
        let mut nsm = self.nsm.lock().unwrap_or_else(PoisonError::into_inner);
        nsm(request)
    }
}

/// One register of the security module, as it describes it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pcr {
    value: [u8; 48],
    locked: bool,
}

/// A security module whose PCR16 is fixed.
pub(crate) struct NitroAttester {
    platform: NitroPlatform,
    expected: Pcr,
}

impl Attester for NitroAttester {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let ReportData {
            public_key,
            nonce,
            user_data,
        } = data.clone();
        // The module has room for each of the three, so that nothing needs to travel beside.
        let request = Request::Attestation {
            user_data: user_data.map(Into::into),
            nonce: nonce.map(Into::into),
            public_key: public_key.map(Into::into),
        };
        match self.platform.ask(request) {
            Response::Attestation { document } => Ok(Evidence::from_bytes(document)),
            other => {
                // One document that fails may be an accident. A module that does not even know its
                // registers is gone.
                if !matches!(self.platform.pcr(AGREEMENT_PCR), Ok(pcr) if pcr == self.expected) {
                    self.platform.lost.send_replace(true);
                }
                Err(AttestError::new(
                    unanswered("Attestation", other).to_string(),
                ))
            }
        }
    }
}

fn unanswered(request: &'static str, response: Response) -> NsmError {
    match response {
        Response::Error(code) => NsmError::Refused { request, code },
        _ => NsmError::Reply { request },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const AGREEMENT: [u8; 48] = [7; 48];

    type Answer = fn(&mut Module, Request) -> Response;

    /// What the module's specification says of registers; `attests` is whether it still makes
    /// documents.
    struct Module {
        pcrs: BTreeMap<u16, ([u8; 48], bool)>,
        attests: bool,
        answers: bool,
    }

    impl Module {
        fn fresh() -> Self {
            let pcrs = (0..32).map(|index| match index {
                0..3 => (index, ([1; 48], true)),
                3..16 => (index, ([0; 48], true)),
                _ => (index, ([0; 48], false)),
            });
            Self {
                pcrs: pcrs.collect(),
                attests: true,
                answers: true,
            }
        }

        fn answer(&mut self, request: Request) -> Response {
            if !self.answers {
                return Response::Error(ErrorCode::InternalError);
            }
            match request {
                Request::DescribeNSM => Response::DescribeNSM {
                    version_major: 1,
                    version_minor: 0,
                    version_patch: 0,
                    module_id: "i-1-enc1".to_owned(),
                    max_pcrs: 32,
                    locked_pcrs: self
                        .pcrs
                        .iter()
                        .filter_map(|(index, (_, locked))| locked.then_some(*index))
                        .collect(),
                    digest: Digest::SHA384,
                },
                Request::DescribePCR { index } => {
                    let (value, lock) = self.pcrs[&index];
                    Response::DescribePCR {
                        lock,
                        data: value.to_vec(),
                    }
                }
                Request::ExtendPCR { index, data } => {
                    let (value, locked) = self.pcrs.get_mut(&index).unwrap();
                    if *locked {
                        return Response::Error(ErrorCode::ReadOnlyIndex);
                    }
                    assert_eq!(*value, [0; 48], "the tests extend once");
                    *value = extended_register(&data.try_into().unwrap());
                    Response::ExtendPCR {
                        data: value.to_vec(),
                    }
                }
                Request::LockPCR { index } => {
                    self.pcrs.get_mut(&index).unwrap().1 = true;
                    Response::LockPCR
                }
                Request::Attestation { nonce, .. } if self.attests => Response::Attestation {
                    document: nonce.map(|nonce| nonce.to_vec()).unwrap_or_default(),
                },
                _ => Response::Error(ErrorCode::InternalError),
            }
        }
    }

    /// A platform on a module that the test can still reach.
    fn on(module: Module) -> (Result<NitroPlatform, NsmError>, Arc<Mutex<Module>>) {
        let module = Arc::new(Mutex::new(module));
        let answering = Arc::clone(&module);
        let platform =
            NitroPlatform::answered_by(move |request| answering.lock().unwrap().answer(request));
        (platform, module)
    }

    fn refusal(module: Module) -> String {
        on(module).0.err().unwrap().to_string()
    }

    #[test]
    fn pcr16_holds_the_agreement_and_is_locked_before_there_is_evidence() {
        let (platform, module) = on(Module::fresh());
        let attester = platform.unwrap().measure(&AGREEMENT).unwrap();
        let expected = (extended_register(&AGREEMENT), true);
        assert_eq!(module.lock().unwrap().pcrs[&16], expected);
        let data = ReportData {
            nonce: Some(b"nonce".to_vec()),
            ..ReportData::default()
        };
        assert_eq!(attester.attest(&data).unwrap().as_bytes(), b"nonce");
    }

    #[test]
    fn a_second_agreement_is_refused_by_the_module() {
        let (platform, module) = on(Module::fresh());
        let platform = platform.unwrap();
        platform.measure(&AGREEMENT).unwrap();
        let error = platform.measure(&[8; 48]).err().unwrap();
        assert!(
            matches!(
                error,
                NsmError::Refused {
                    code: ErrorCode::ReadOnlyIndex,
                    ..
                }
            ),
            "{error}"
        );
        let expected = (extended_register(&AGREEMENT), true);
        assert_eq!(module.lock().unwrap().pcrs[&16], expected);
    }

    #[test]
    fn a_pcr16_that_was_extended_or_locked_before_is_refused() {
        for used in [([2; 48], false), ([0; 48], true), ([2; 48], true)] {
            let mut module = Module::fresh();
            module.pcrs.insert(16, used);
            assert_eq!(refusal(module), "PCR16 was used before");
        }
    }

    #[test]
    fn a_measurement_that_could_still_change_is_refused() {
        for index in 0..=2 {
            let mut module = Module::fresh();
            module.pcrs.insert(index, ([1; 48], false));
            assert_eq!(refusal(module), format!("PCR{index} is not locked"));
        }
    }

    #[test]
    fn debug_mode_is_seen() {
        let (platform, _) = on(Module::fresh());
        assert!(!platform.unwrap().is_debug());
        let mut module = Module::fresh();
        module.pcrs.insert(0, ([0; 48], true));
        assert!(on(module).0.unwrap().is_debug());
    }

    #[test]
    fn a_module_that_only_pretends_to_extend_or_to_lock_is_found_out() {
        let cases: [(&str, Answer); 3] = [
            ("another value", |module, request| match request {
                Request::ExtendPCR { .. } => Response::ExtendPCR { data: vec![9; 48] },
                other => module.answer(other),
            }),
            ("not extended", |module, request| match request {
                Request::ExtendPCR { .. } => Response::ExtendPCR {
                    data: extended_register(&AGREEMENT).to_vec(),
                },
                other => module.answer(other),
            }),
            ("not locked", |module, request| match request {
                Request::LockPCR { .. } => Response::LockPCR,
                other => module.answer(other),
            }),
        ];
        for (lie, answer) in cases {
            let mut module = Module::fresh();
            let platform =
                NitroPlatform::answered_by(move |request| answer(&mut module, request)).unwrap();
            let measured = platform.measure(&AGREEMENT);
            assert!(matches!(measured, Err(NsmError::Differs)), "{lie}");
        }
    }

    #[test]
    fn a_module_of_another_kind_or_that_answers_nonsense_is_refused() {
        let mut module = Module::fresh();
        module.answers = false;
        assert_eq!(
            refusal(module),
            "the security module refused DescribeNSM: InternalError"
        );
        let nonsense = NitroPlatform::answered_by(|_| Response::LockPCRs)
            .err()
            .unwrap();
        assert!(matches!(nonsense, NsmError::Reply { .. }), "{nonsense}");
    }

    #[tokio::test]
    async fn it_is_lost_when_its_registers_cannot_be_read_but_not_for_one_failed_document() {
        let (platform, module) = on(Module::fresh());
        let platform = platform.unwrap();
        let attester = platform.measure(&AGREEMENT).unwrap();
        module.lock().unwrap().attests = false;
        attester.attest(&ReportData::default()).unwrap_err();
        assert!(!*platform.lost.borrow());

        module.lock().unwrap().answers = false;
        attester.attest(&ReportData::default()).unwrap_err();
        platform.lost().await;
    }
}
