//! What a person can type.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use client::KeyAlgorithm;
use serde_json::Value;
use tabular::{Delimiter, IdNormalisation, IdStepError, TextEncoding};

use crate::rows_file::StandardFormat;

/// Synthetic data from several parties' private tables, made inside a secure enclave.
///
/// Two or more organisations hold private tables about the same people. A room in a secure enclave
/// proves to each of them what it will do, joins their tables on `id`, fits one differentially
/// private model, and lets them download synthetic rows.
#[derive(Parser)]
#[command(
    name = "synclave",
    version,
    propagate_version = true,
    after_help = "Start with `synclave demo`: two parties, one room, real tables, in under a \
                  minute."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Args, Clone, Copy)]
pub(crate) struct OutputOptions {
    /// Print one JSON document on standard output, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say nothing but errors and results; nothing about your own file either
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more about what is being done
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(DemoOptions),
    Keygen(KeygenOptions),
    #[command(subcommand)]
    Room(RoomCommand),
    Validate(ValidateOptions),
    Connect(ConnectOptions),
    View(ViewOptions),
    Inspect(InspectOptions),
    Measure(MeasureOptions),
    VerifyReceipt(VerifyReceiptOptions),
    Schema(SchemaOptions),
    Synth(SynthOptions),
    Sample(SampleOptions),
    Query(QueryOptions),
    Marginals(MarginalsOptions),
    Evaluate(EvaluateOptions),
    Completions(CompletionsOptions),
}

/// See the whole of it: two parties, one room, real tables
///
/// An insurer and a clinic hold tables about the same 5,912 people (the RAND Health Insurance
/// Experiment, public domain). They make keys, connect to a room on this machine, check its
/// evidence, upload, confirm, and download joint synthetic rows; then their relations in the real,
/// the joint and the separately synthesised data are set side by side.
#[derive(Args)]
pub(crate) struct DemoOptions {
    /// The folder for keys, configuration, samples and receipt
    #[arg(long, value_name = "DIR", default_value = "synclave-demo")]
    pub(crate) output: PathBuf,

    /// The privacy budget of the room
    #[arg(
        long,
        value_name = "EPSILON",
        default_value_t = 3.0,
        allow_negative_numbers = true
    )]
    pub(crate) epsilon: f64,

    /// Play both parties yourself, in two browser windows: the room waits for the two tables, which
    /// are put into the folder, until Ctrl-C
    #[arg(long)]
    pub(crate) serve: bool,
}

/// Make a key pair for a party
#[derive(Args)]
#[command(
    after_help = "Example: synclave keygen --key-name alice --output keys\n\nThe text it prints \
                  goes into service.yaml as the party's public_key."
)]
pub(crate) struct KeygenOptions {
    /// The files are NAME_private.der (readable by you alone) and NAME_public.der
    #[arg(long, value_name = "NAME")]
    pub(crate) key_name: String,

    /// The folder to write them to
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// The kind of key: rsa-2048, rsa-3072, p256 or ed25519
    #[arg(long, default_value = "rsa-2048")]
    pub(crate) algorithm: KeyAlgorithm,
}

/// Set a room up: write its two files, or what a party sends to whoever writes them
#[derive(Subcommand)]
pub(crate) enum RoomCommand {
    New(RoomNewOptions),
    Join(RoomJoinOptions),
}

/// Write service.yaml and runtime.yaml, checked as the enclave checks them
///
/// What is not given is asked for, where a person is there to answer.
#[derive(Args)]
#[command(after_help = "\
Example, with the files that two parties sent (`synclave room join`):
  synclave room new --party insurer.party.yaml --party clinic.party.yaml --epsilon 1 --output room

Example, with keys:
  synclave room new --party insurer=keys/insurer_public.der --party clinic=MCowBQYDK2Vw... \\
      --columns insurer=insurer.yaml --epsilon 1 --output room")]
pub(crate) struct RoomNewOptions {
    /// A party that brings a table: NAME=KEY, where KEY is a file or the text that `keygen`
    /// printed, or the file that `synclave room join` wrote; at least two
    #[arg(long, value_name = "NAME=KEY|FILE")]
    pub(crate) party: Vec<String>,

    /// Somebody who downloads rows and brings no table
    #[arg(long, value_name = "NAME=KEY", value_parser = named_text)]
    pub(crate) analyst: Vec<NamedText>,

    /// A schema of a party's table; without one its columns are discovered under the budget
    #[arg(long, value_name = "NAME=SCHEMA.yaml", value_parser = named_text)]
    pub(crate) columns: Vec<NamedText>,

    /// The privacy budget; 1 is a usual start
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) epsilon: Option<f64>,

    /// The chance with which the bound of epsilon may fail
    #[arg(long, default_value_t = 1e-9, allow_negative_numbers = true)]
    pub(crate) delta: f64,

    /// GRAIN, AIM, MST, MWEM, COPULA, INDEPENDENT, DPCTGAN or PATECTGAN
    #[arg(long, default_value = "GRAIN")]
    pub(crate) method: String,

    /// The column that says whose a row is, in each table
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    pub(crate) key: String,

    /// Rows of one id in each table, at most; 1 if it is left out
    #[arg(long, value_name = "K")]
    pub(crate) max_rows_per_id: Option<NonZeroU32>,

    /// The column that the rows will be used to predict, as PARTY_COLUMN
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: Option<String>,

    /// About how many people the tables are of; public, for warnings about the budget
    #[arg(long, value_name = "N")]
    pub(crate) people: Option<NonZeroU64>,

    /// The folder for the two files
    #[arg(long, value_name = "DIR", default_value = "room")]
    pub(crate) output: PathBuf,
}

/// Make a key and write what a party sends to whoever sets the room up
#[derive(Args)]
#[command(
    after_help = "Example: synclave room join --name clinic --schema clinic.yaml --output keys\n\n\
                  It writes keys/clinic_private.der, which you keep, and keys/clinic.party.yaml, \
                  which you send."
)]
pub(crate) struct RoomJoinOptions {
    /// Your name in the room
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    /// What your table has (without the id); without it, its columns are discovered
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,

    /// The kind of key: rsa-2048, rsa-3072, p256 or ed25519
    #[arg(long, default_value = "ed25519")]
    pub(crate) algorithm: KeyAlgorithm,

    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

/// `NAME=TEXT` of an option.
#[derive(Clone)]
pub(crate) struct NamedText {
    pub(crate) name: String,
    pub(crate) text: String,
}

fn named_text(argument: &str) -> Result<NamedText, String> {
    let (name, text) = argument
        .split_once('=')
        .ok_or("write it as NAME=VALUE, such as insurer=insurer.yaml")?;
    Ok(NamedText {
        name: name.to_owned(),
        text: text.to_owned(),
    })
}

/// Check service.yaml and runtime.yaml together; print what they say, and the agreement's hash
///
/// It is the very check that the enclave makes before it starts. The summary says what was
/// understood: compare it with what you agreed on, and each fingerprint with what the key's owner
/// reads from `synclave keygen`.
#[derive(Args)]
#[command(after_help = "Example: synclave validate room")]
pub(crate) struct ValidateOptions {
    /// The folder that holds service.yaml and runtime.yaml
    #[arg(value_name = "DIR")]
    pub(crate) room: PathBuf,
}

/// Check an enclave's evidence, then open a local port to it
///
/// Before a byte of yours leaves this machine it checks that the hardware vouches for exactly this
/// program, this agreement and this connection. Then http://localhost:LPORT is a page that leads
/// from that evidence to synthetic rows, and, once you have accepted the agreement there or in the
/// terminal, the room itself, for curl or a notebook.
#[derive(Args)]
#[command(after_help = crate::exit::HELP_OF_CONNECT)]
pub(crate) struct ConnectOptions {
    /// Where the enclave is reached: http(s)://HOST or HOST over TCP, ws(s)://HOST[/PATH] in a
    /// WebSocket. The checks are the same
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,

    /// Its port, where the URL does not say
    #[arg(long, value_name = "N", default_value_t = 443)]
    pub(crate) port: u16,

    /// An HTTP proxy on the way, like http://user@proxy:3128; by default the one in https_proxy,
    /// unless no_proxy exempts the host. Its user's password is taken from SYNCLAVE_PROXY_PASSWORD
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,

    /// With wss://, the authorities to trust for the outer hop, in place of this machine's.
    /// Evidence is checked all the same
    #[arg(long, value_name = "PEM")]
    pub(crate) outer_ca: Option<PathBuf>,

    /// The local port to open, on the loopback address only
    #[arg(long, value_name = "N", default_value_t = 3030)]
    pub(crate) lport: u16,

    /// Your private key
    #[arg(long, value_name = "FILE")]
    pub(crate) private_key: PathBuf,

    /// Your public key, as it stands in the agreement
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: PathBuf,

    #[command(flatten)]
    pub(crate) measurements: MeasurementOptions,

    #[command(flatten)]
    pub(crate) trust: TrustOptions,

    /// The room's id, as another party sees it: both are then in the same room
    #[arg(long, value_name = "HEX")]
    pub(crate) room: Option<String>,

    /// Print the agreement's two files before the summary of what they say
    #[arg(long)]
    pub(crate) show_agreement: bool,

    /// Open the browser at the page. Then the page also shows why a room was refused, and nobody
    /// has to be at the terminal
    #[arg(long, conflicts_with = "no_page")]
    pub(crate) open: bool,

    /// No page: the local port is opened after the agreement is accepted, and is the room alone
    #[arg(long)]
    pub(crate) no_page: bool,

    /// Demand the token of this start, which stands in the page's address, for the room's own paths
    /// as well: for machines that other people use too
    ///
    /// Programs send it as the header `x-synclave-token`, or as `Authorization: Bearer TOKEN`.
    #[arg(long, conflicts_with = "no_page")]
    pub(crate) token: bool,
}

/// Look at a model in the browser: its report, and rows from it
///
/// It is the page of `connect` without a room, at http://localhost:LPORT. Rows cost no further
/// privacy.
#[derive(Args)]
#[command(after_help = "Example: synclave view people.model --open")]
pub(crate) struct ViewOptions {
    /// The model, as `synth --model` or /model gave it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// The local port to open, on the loopback address only
    #[arg(long, value_name = "N", default_value_t = 3030)]
    pub(crate) lport: u16,

    /// Open the browser at the page
    #[arg(long)]
    pub(crate) open: bool,
}

#[derive(Args)]
pub(crate) struct MeasurementOptions {
    /// A measurements file, as `nitro-cli build-enclave` prints it
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_all = ["pcr0", "pcr1", "pcr2"],
        conflicts_with_all = ["pcr0", "pcr1", "pcr2"]
    )]
    pub(crate) measurements: Option<PathBuf>,

    /// The measurement of the image
    #[arg(long, value_name = "HEX", requires_all = ["pcr1", "pcr2"])]
    pub(crate) pcr0: Option<String>,

    /// The measurement of the kernel and the bootstrap
    #[arg(long, value_name = "HEX", requires_all = ["pcr0", "pcr2"])]
    pub(crate) pcr1: Option<String>,

    /// The measurement of the application
    #[arg(long, value_name = "HEX", requires_all = ["pcr0", "pcr1"])]
    pub(crate) pcr2: Option<String>,
}

#[derive(Args)]
pub(crate) struct TrustOptions {
    /// The hash of the agreement you accept (from `synclave validate`); without it you are asked
    /// whether you accept what the agreement says
    #[arg(long, value_name = "SHA384")]
    pub(crate) agreement: Option<String>,

    /// Trust this root certificate in place of AWS's: whoever holds its key can forge any evidence.
    /// For simulated rooms only
    #[arg(long, value_name = "PEM")]
    pub(crate) dangerous_root: Option<PathBuf>,
}

/// Tell what a file is, and what holds of it: an attestation document, a receipt, a model, an
/// enclave image
///
/// Exits 0 for an attestation document only if its chain leads to AWS's root (or the named one),
/// signature and time hold, and it is no debug document. Every step is printed either way. Exits 0
/// for an enclave image only if it is whole.
#[derive(Args)]
#[command(after_help = "\
Examples:
  synclave inspect document.bin --at 2022-10-13T09:00:00Z
  synclave inspect synclave.eif")]
pub(crate) struct InspectOptions {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The time at which to judge certificates and freshness (RFC 3339); by default now, and for a
    /// receipt when it says it was made
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,

    /// Trust this root certificate in place of AWS's
    #[arg(long, value_name = "PEM")]
    pub(crate) dangerous_root: Option<PathBuf>,
}

/// Recompute the measurements of an enclave image (EIF)
///
/// Reads the image, not what anyone says about it: any EIF of version 4, by whichever tool it was
/// built. PCR0 is over the whole image, PCR1 over kernel, command line and first ramdisk, PCR2 over
/// the other ramdisks, PCR8 over the signing certificate if there is one. With --json it prints
/// what `nitro-cli describe-eif` prints, which `connect --measurements` reads.
#[derive(Args)]
#[command(after_help = "\
Examples:
  synclave measure synclave.eif
  synclave measure synclave.eif --json > measurements.json")]
pub(crate) struct MeasureOptions {
    /// The image
    #[arg(value_name = "FILE.eif")]
    pub(crate) file: PathBuf,
}

/// Check a receipt: the evidence over it, the program, the agreement, and the sums of the privacy
/// ledger
#[derive(Args)]
#[command(
    after_help = "Example: synclave verify-receipt receipt.json --measurements measurements.json"
)]
pub(crate) struct VerifyReceiptOptions {
    /// The receipt, as /receipt gave it
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The measurements that the program must have; without them it is not compared, and the
    /// verdict says so
    #[arg(long, value_name = "FILE")]
    pub(crate) measurements: Option<PathBuf>,

    /// The hash of the agreement that it must be about
    #[arg(long, value_name = "SHA384")]
    pub(crate) agreement: Option<String>,

    /// The id of the room that it must be about
    #[arg(long, value_name = "HEX")]
    pub(crate) room: Option<String>,

    /// The time at which to judge its evidence (RFC 3339), such as when you got it; by default when
    /// the evidence says it was made
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,

    /// Trust this root certificate in place of AWS's: whoever holds its key can forge any evidence.
    /// For simulated rooms only
    #[arg(long, value_name = "PEM")]
    pub(crate) dangerous_root: Option<PathBuf>,
}

/// Write a schema to start from
///
/// A schema says what each column can hold, and what it says costs a fit no budget. This one is a
/// draft from the table itself, from a code book, or, with --private, one that was paid for.
#[derive(Args)]
#[command(after_help = "Examples:
  synclave schema people.csv --key id --output people.yaml
  synclave schema people.csv --key id --private 0.5 --output people.yaml
  synclave schema --codebook dictionary.xlsx --output people.yaml

What is taken from the table is in the file only where at least 20 people share or reach
it, ranges only where 60 have a value, and it is marked `origin: data`: until a person
has read it and written `origin: reviewed`, a fit with it has no guarantee, and no room
takes it. Columns that look like names, addresses, identifiers, e-mail addresses,
telephone numbers or free text are left out (`drop`), unless they are named with --keep.")]
pub(crate) struct SchemaOptions {
    /// The table: CSV, JSON, Parquet or an Excel workbook; `-` is standard input. With --codebook
    /// it is only compared with that, and may be left out
    #[arg(value_name = "DATA", required_unless_present = "codebook")]
    pub(crate) data: Option<PathBuf>,

    /// Where to write the schema (YAML); by default to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The column that names the person; without it each row counts as one. It is not declared
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,

    /// Write what this column holds although it looks as if it named people; may be given several
    /// times
    #[arg(long, value_name = "COLUMN")]
    pub(crate) keep: Vec<String>,

    /// Find the columns' values and ranges under differential privacy, for this epsilon. Nobody has
    /// to review the schema then, and a fit with it adds its own epsilon to this
    #[arg(
        long,
        value_name = "EPSILON",
        conflicts_with = "codebook",
        allow_negative_numbers = true
    )]
    pub(crate) private: Option<f64>,

    /// The delta of --private
    #[arg(
        long,
        requires = "private",
        default_value_t = 1e-9,
        allow_negative_numbers = true
    )]
    pub(crate) delta: f64,

    /// With --private, take in up to K rows of a person, of more a random choice. Without it
    /// repeats are refused there
    #[arg(long, value_name = "K", requires_all = ["key", "private"])]
    pub(crate) max_rows_per_id: Option<NonZeroU32>,

    /// Take the schema from a code book (data dictionary) instead: CSV or an Excel workbook with a
    /// row for each column of the table
    ///
    /// Its headings are name, type, min, max, values and label, or what else people call them;
    /// values are listed as `1=male; 2=female`. A table that contradicts it is refused, with what
    /// differs.
    #[arg(long, value_name = "FILE")]
    pub(crate) codebook: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) how: ReadArguments,
}

/// Make private synthetic rows from one table of your own, without any enclave
///
/// What it says of your own table ("about your own file, not private"; with --json under
/// `private_to_you`), and whether it refuses it, is protected by no budget: keep it to yourself.
#[derive(Args)]
#[command(after_help = "Examples:
  synclave synth people.csv --epsilon 1 --key id --model people.model \\
      --output synthetic.csv
  synclave synth people.csv --epsilon 1 --key id --model people.model \\
      --schema people.yaml --output synthetic.csv
  synclave synth people.csv --epsilon 1 --key id --model people.model \\
      --schema people.yaml --output synthetic.csv \\
      --public census.csv --public-of-other-people

Every run spends its --epsilon anew, and runs on one table add up: two with --epsilon 1
guarantee epsilon 2 together. To get more rows at no cost, keep the --model and use
`synclave sample`.")]
pub(crate) struct SynthOptions {
    /// The table: CSV, JSON, Parquet or an Excel workbook, one row a person; `-` is standard input
    #[arg(value_name = "DATA")]
    pub(crate) data: PathBuf,

    /// The privacy budget: what this fit spends
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) epsilon: f64,

    /// The chance with which the bound of epsilon may fail; far below one over the number of people
    #[arg(long, default_value_t = 1e-9, allow_negative_numbers = true)]
    pub(crate) delta: f64,

    /// Go on with an epsilon above 1,000, which protects hardly anything of anybody
    #[arg(long)]
    pub(crate) dangerous_epsilon: bool,

    /// The method: GRAIN, AIM, MST, MWEM, COPULA, INDEPENDENT, DPCTGAN or PATECTGAN
    #[arg(long, default_value = "GRAIN")]
    pub(crate) method: String,

    /// A parameter of the method, such as rounds=50 or max_cells=1000000; may be given several
    /// times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) params: Vec<(String, Value)>,

    /// The declared columns (YAML); without it they are discovered under the budget
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,

    /// The marginals that matter, with weights (YAML, such as
    /// `- {columns: [age, income], weight: 2}`); by default all pairs. For GRAIN, AIM and
    /// MWEM
    #[arg(long, value_name = "FILE")]
    pub(crate) workload: Option<PathBuf>,

    /// The column that the rows will be used to predict: marginals with it count as much as all
    /// others. For GRAIN, AIM and MWEM
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: Option<String>,

    /// Data about the same columns to start from: the file of an earlier model, or a table of other
    /// people. For GRAIN
    ///
    /// It takes nothing of --epsilon, which is what this fit spends. But an earlier model was
    /// itself paid for with its people's data: unless --public-of-other-people is given, the
    /// guarantee that is stated is that of both together (epsilons and deltas add up), and a later
    /// fit that starts from this one adds to it again. A table is used without any noise, and needs
    /// --public-of-other-people.
    #[arg(long, value_name = "FILE")]
    pub(crate) public: Option<PathBuf>,

    /// Nobody of DATA is in the --public file, nor in anything that it was made from
    ///
    /// It is your word, which nothing can check beyond refusing DATA itself (the same file, the
    /// same bytes, or the same rows in another order). Where it is not true, the guarantee that is
    /// stated does not hold.
    #[arg(long, requires = "public")]
    pub(crate) public_of_other_people: bool,

    /// Take the columns' domain from the data itself. This is not private: values and ranges show
    /// through
    #[arg(long, conflicts_with = "schema")]
    pub(crate) dangerous_domain_from_data: bool,

    /// The column that names the person: checked for repeats, never synthesised
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,

    /// Take in up to K rows of a person, of more a random choice; noise grows with K. Without it
    /// repeats are refused
    #[arg(long, value_name = "K", requires = "key")]
    pub(crate) max_rows_per_id: Option<NonZeroU32>,

    /// What to do to ids before they are compared: trim (all white space), strip_leading_zeros
    /// (007 is 7), lower; several are separated by commas
    #[arg(long, value_name = "STEPS", requires = "key", value_parser = id_normalisation)]
    pub(crate) id_normalise: Option<IdNormalisation>,

    /// How many rows; by default the private estimate of how many the table has, at most 10 million
    #[arg(long)]
    pub(crate) rows: Option<u64>,

    /// Makes the drawing of rows repeatable; it never drives the noise
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// The synthetic rows. The ending says what is written: .csv, .json or .jsonl (with .gz after
    /// it compressed), .parquet or .xlsx; `-` is standard output
    #[arg(long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// What to write to standard output with `--output -`; by default CSV
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<StandardFormat>,

    /// For people who open the rows with a spreadsheet: an apostrophe before names and categories
    /// that it would run as formulas. CSV only
    #[arg(long)]
    pub(crate) spreadsheet_safe: bool,

    /// Keep the fitted model, for `synclave sample`
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// Keep the report: what each column was taken for, errors, and where the budget went. By its
    /// ending a page (.html), or a document for programs (.json)
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) how: ReadArguments,
}

/// What a person says of a table where its first bytes and its line of names do not tell.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "How the table is read")]
pub(crate) struct ReadArguments {
    /// What separates the fields of CSV: a character such as ';' or comma, semicolon, tab, pipe; by
    /// default the line of names tells
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<Delimiter>,

    /// The encoding of a text, such as latin1, windows-1252 or utf-16le; by default UTF-8, or
    /// UTF-16 if it begins with a byte order mark
    ///
    /// Files compressed with gzip or Zstandard are unpacked, whatever their names are.
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<TextEncoding>,

    /// The sheet of a workbook; by default the only one. Of cells with formulas the values are read
    /// that were computed when it was saved
    #[arg(long, value_name = "NAME")]
    pub(crate) sheet: Option<String>,
}

fn id_normalisation(text: &str) -> Result<IdNormalisation, IdStepError> {
    IdNormalisation::parse(text.split(',').map(str::trim))
}

/// Numbers and `true` or `false` are taken as such, and everything else as text.
fn parameter(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write it as NAME=VALUE, such as rounds=50")?;
    let value = match serde_json::from_str(value) {
        Ok(plain @ (Value::Number(_) | Value::Bool(_))) => plain,
        _ => Value::from(value),
    };
    Ok((name.to_owned(), value))
}

/// Draw rows from a fitted model, at no further privacy cost
#[derive(Args)]
#[command(after_help = "\
Examples:
  synclave sample people.model --rows 100000 --output more.csv
  synclave sample people.model --rows 1000 --where 'age in 30..40 and value = good' \\
      --output some.csv

A test is a column and one of:
  = v   != v   < v   <= v   > v   >= v
  in v..w          from v to w, both included
  in [v, w]        any of these values
  is missing       is not missing
Names and values with spaces or signs go in quotes. Several tests of one column must all
hold. A missing value satisfies `is missing` alone. Rows are drawn from the model given
the condition, not drawn and thrown away: rare conditions cost no more.")]
pub(crate) struct SampleOptions {
    /// The model, as `synth --model` or /model gave it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// How many rows; by default the model's own estimate, of those that satisfy --where, at most
    /// 10 million
    #[arg(long)]
    pub(crate) rows: Option<u64>,

    /// Only rows that satisfy this: tests of columns joined by `and` (see below)
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,

    /// Makes the drawing of rows repeatable
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// The synthetic rows. The ending says what is written: .csv, .json or .jsonl (with .gz after
    /// it compressed), .parquet or .xlsx; `-` is standard output
    #[arg(long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// What to write to standard output with `--output -`; by default CSV
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<StandardFormat>,

    /// For people who open the rows with a spreadsheet: an apostrophe before names and categories
    /// that it would run as formulas. CSV only
    #[arg(long)]
    pub(crate) spreadsheet_safe: bool,

    /// Write the report of the model as well: by its ending a page (.html), or a document for
    /// programs (.json)
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

/// Ask for counts, sums, means and quantiles of the table behind a model, with intervals
///
/// It has no further privacy cost. Where the columns asked about were measured together, the
/// interval is that of the noise; where they were not, it comes from the model's measured error, or
/// from what the columns one by one leave possible, which can be wide.
#[derive(Args)]
#[command(after_help = "\
Examples:
  synclave query people.model 'count where age in 30..40 and sex = female'
  synclave query people.model 'count by education, sex'
  synclave query people.model 'mean income where age > 30 by sex'
  synclave query people.model 'quantile 0.9 income' --json

A condition is one of `synclave sample --where`, whose help has the grammar. The table is the
one that the model was fitted to, as it was coded: what a bin or `other` put together is not
told apart. Rows in which a value is missing or `other` have no part in its sum or mean.")]
pub(crate) struct QueryOptions {
    /// The model, as `synth --model` or /model gave it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// `count`, `sum COLUMN`, `mean COLUMN`, `median COLUMN` or `quantile SHARE COLUMN`, then
    /// `where CONDITION`, then `by COLUMN, COLUMN`; the last two may be left out
    #[arg(value_name = "QUESTION")]
    pub(crate) question: String,
}

/// List the noisy counts that a model was made from, with the size of their noise
///
/// They are what the privacy budget bought, and may be published like the model itself. Whoever
/// analyses them knows the noise exactly, which nobody knows of synthetic rows.
#[derive(Args)]
#[command(after_help = "\
Examples:
  synclave marginals people.model
  synclave marginals people.model 'age, sex'
  synclave marginals people.model --json > marginals.json

Where values are taken together (`20 to 24 | 25 to 29`) the pair was measured coarsely, or they are
rare. A count may be negative: that is noise, and cutting it off would bias sums.")]
pub(crate) struct MarginalsOptions {
    /// The model, as `synth --model` or /model gave it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// Show the counts of these columns, with commas between them; without it, what was measured
    #[arg(value_name = "COLUMNS")]
    pub(crate) columns: Option<String>,
}

/// Compare a synthetic table with a real one that you own
///
/// What it prints is computed from the real rows without noise: it is for you, not for publication.
/// With --json all of it is under `private_to_you`.
#[derive(Args)]
#[command(after_help = "Example: synclave evaluate people.csv synthetic.csv --schema people.yaml")]
pub(crate) struct EvaluateOptions {
    /// The real table; `-` is standard input
    #[arg(value_name = "REAL")]
    pub(crate) real: PathBuf,

    /// The synthetic table
    #[arg(value_name = "SYNTHETIC")]
    pub(crate) synthetic: PathBuf,

    /// The declared columns (YAML); without it they are taken from both tables
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,

    /// The column that names the person, left out of the comparison
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,

    /// Keep the comparison: by its ending a page (.html), or a document for programs (.json). It is
    /// for you alone as well
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    // Of the real table; the synthetic one is as this program wrote it.
    #[command(flatten)]
    pub(crate) how: ReadArguments,
}

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "Example:
  synclave completions bash > ~/.local/share/bash-completion/completions/synclave")]
pub(crate) struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_parameters_are_numbers_truths_or_texts() {
        for (text, value) in [
            ("rounds=50", json!(50)),
            ("rounds=-1.5", json!(-1.5)),
            ("fast=true", json!(true)),
            ("fast=yes", json!("yes")),
            ("name=", json!("")),
            ("name=a=b", json!("a=b")),
            ("name=[1]", json!("[1]")),
            ("name=null", json!("null")),
        ] {
            let name = text.split('=').next().unwrap_or_default();
            assert_eq!(parameter(text), Ok((name.to_owned(), value)));
        }
        assert!(parameter("rounds").is_err());
    }
}
