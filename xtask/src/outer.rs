//! The outer tier of `deploy/`, started for real on loopback before a simulated enclave, and what it lets through.

mod hybrid;
mod running;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::run;
use running::{Running, free_port};

/// Which programs to start.
#[derive(Args)]
pub(crate) struct Options {
    /// Use the programs in this folder as they are; by default they are built, in release mode
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// Starts enclave, host, nginx with the firewall, and HAProxy; goes through the table; ends them all.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let programs = match &options.programs {
        Some(folder) => Programs(std::path::absolute(folder)?),
        None => Programs::build()?,
    };
    let folder = run::root().join("target/outer");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder)?;
    let tier = Tier::start(folder, &programs)?;
    let mut failed = 0;
    for probe in tier.probes() {
        let answers = tier.ask(&probe)?;
        let good = probe.expected.holds(&answers);
        let mark = if good { "ok  " } else { "FAIL" };
        let found = if probe.times > 1 {
            format!(
                "{} of {}",
                answers.iter().filter(|it| *it == "429").count(),
                probe.times
            )
        } else {
            answers.join(" ")
        };
        eprintln!(
            "{mark}  {:<9} {:<62} {found}",
            probe.place.name(),
            probe.what
        );
        failed += usize::from(!good);
    }
    ensure!(failed == 0, "{failed} probes did not go as they must");
    Ok(())
}

/// The folder with `synclave`, `synclave-enclave` and `synclave-host`.
struct Programs(PathBuf);

impl Programs {
    fn build() -> anyhow::Result<Self> {
        let packages = ["cli", "enclave", "host"].map(|it| ["--package", it]);
        let build = [&["cargo", "build", "--release"][..], &packages.concat()].concat();
        run::program(&build, &[])?;
        Ok(Self(run::root().join("target/release")))
    }

    fn program(&self, name: &str) -> Command {
        Command::new(self.0.join(name))
    }
}

/// Where a probe goes.
#[derive(Clone, Copy)]
enum Place {
    /// nginx with the firewall.
    Firewall,
    /// Through the attested channel, over WebSocket and nginx, to the room.
    Tunnel,
    /// Through the attested channel, over TCP and HAProxy, to the room.
    TcpTunnel,
    /// HAProxy.
    Balancer,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Firewall => "firewall",
            Self::Tunnel | Self::TcpTunnel => "tunnel",
            Self::Balancer => "balancer",
        }
    }
}

enum Expected {
    /// This status; 000 is a connection closed without one.
    Status(&'static str),
    /// Some are answered 429, and not all.
    SomeTooFrequent,
}

impl Expected {
    fn holds(&self, answers: &[String]) -> bool {
        match self {
            Self::Status(status) => answers.iter().all(|it| it == status) && !answers.is_empty(),
            Self::SomeTooFrequent => {
                let refused = answers.iter().filter(|it| *it == "429").count();
                refused > 0 && refused < answers.len()
            }
        }
    }
}

struct Probe {
    place: Place,
    what: &'static str,
    path: String,
    arguments: Vec<String>,
    times: usize,
    expected: Expected,
}

/// Everything that runs.
struct Tier {
    folder: PathBuf,
    firewall: u16,
    balancer: u16,
    tunnel: u16,
    tcp_tunnel: u16,
    _running: Vec<Running>,
}

impl Tier {
    fn start(folder: PathBuf, programs: &Programs) -> anyhow::Result<Self> {
        make_room(&folder, programs)?;
        make_certificate(&folder)?;
        let mut enclave = Running::start(
            "synclave-enclave",
            programs
                .program("synclave-enclave")
                .current_dir(&folder)
                .args([
                    "--simulated",
                    "--room",
                    "room",
                    "--listen",
                    "127.0.0.1:0",
                    "--root-out",
                    "root.pem",
                    "--measurements-out",
                    "measurements.json",
                ]),
            &folder,
        )?;
        let ready = enclave.said("\"ready\"")?;
        let address = field(&ready, "address")?;
        let agreement = field(&ready, "agreement")?.to_owned();
        hybrid::offer(&folder.join("enclave.sock"), address.parse()?)?;

        let [tcp, websocket, firewall, balancer] =
            [free_port()?, free_port()?, free_port()?, free_port()?];
        let mut host = Running::start(
            "synclave-host",
            programs
                .program("synclave-host")
                .current_dir(&folder)
                .args([
                    "--enclave",
                    "unix:enclave.sock",
                    "--listen",
                    &format!("127.0.0.1:{tcp}"),
                    "--proxy-protocol",
                    "--listen-websocket",
                    &format!("127.0.0.1:{websocket}"),
                    "--forwarded-for",
                ]),
            &folder,
        )?;
        host.said("enclave_attached")?;
        let nginx = start_nginx(&folder, firewall, websocket)?;
        let haproxy = start_haproxy(&folder, balancer, tcp)?;
        let by_websocket = format!("wss://localhost:{firewall}");
        let by_tcp = format!("https://127.0.0.1:{balancer}");
        let (alice, tunnel) = connect(&folder, programs, "alice", &by_websocket, &agreement)?;
        let (bob, tcp_tunnel) = connect(&folder, programs, "bob", &by_tcp, &agreement)?;
        Ok(Self {
            folder,
            firewall,
            balancer,
            tunnel,
            tcp_tunnel,
            // In the order in which they are ended.
            _running: vec![alice, bob, nginx, haproxy, host, enclave],
        })
    }

    /// The table.
    fn probes(&self) -> Vec<Probe> {
        let probe = |place, what, path: &str, arguments: &[&str], status| Probe {
            place,
            what,
            path: path.to_owned(),
            arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
            times: 1,
            expected: Expected::Status(status),
        };
        let table = self.folder.join("table.csv");
        let file = format!("file=@{};type=text/csv", table.display());
        let zeros = self.folder.join("zeros");
        let body = format!("@{}", zeros.display());
        let long = format!("X-Long: {}", "x".repeat(20_000));
        let (firewall, tunnel) = (Place::Firewall, Place::Tunnel);
        let injection = "/connect?q=1%27%20OR%20%271%27=%271%27%20--%20";
        let script = "/connect?q=%3Cscript%3Ealert(1)%3C/script%3E";
        let files = "/connect?file=../../../../etc/passwd";
        let websocket = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket"];
        let h2c = [
            "-H",
            "Connection: Upgrade, HTTP2-Settings",
            "-H",
            "Upgrade: h2c",
            "-H",
            "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
        ];
        let upload = ["-F", &file];
        vec![
            probe(firewall, "the host is well", "/healthz", &[], "200"),
            probe(
                tunnel,
                "the room's details, over WebSocket through nginx",
                "/details",
                &[],
                "200",
            ),
            probe(
                tunnel,
                "an upload, over WebSocket through nginx",
                "/upload_data",
                &upload,
                "200",
            ),
            probe(
                Place::TcpTunnel,
                "the room's details, over TCP through HAProxy",
                "/details",
                &[],
                "200",
            ),
            probe(
                Place::TcpTunnel,
                "an upload, over TCP through HAProxy",
                "/upload_data",
                &upload,
                "200",
            ),
            probe(
                firewall,
                "SQL injection in the query",
                injection,
                &websocket,
                "403",
            ),
            probe(firewall, "a script in the query", script, &websocket, "403"),
            probe(
                firewall,
                "a file of the system in the query",
                files,
                &websocket,
                "403",
            ),
            probe(
                firewall,
                "a scanner's name",
                "/healthz",
                &["-A", "sqlmap/1.7"],
                "403",
            ),
            probe(firewall, "a path of the room", "/details", &[], "404"),
            probe(
                firewall,
                "an oversized body",
                "/connect",
                &["-H", "Expect:", "--data-binary", &body],
                "413",
            ),
            probe(
                firewall,
                "an oversized header",
                "/connect",
                &["-H", &long],
                "400",
            ),
            probe(firewall, "POST", "/connect", &["-X", "POST"], "405"),
            probe(firewall, "DELETE", "/connect", &["-X", "DELETE"], "405"),
            probe(firewall, "Upgrade: h2c", "/connect", &h2c, "426"),
            probe(
                firewall,
                "an upgrade without a key",
                "/connect",
                &websocket,
                "426",
            ),
            probe(
                tunnel,
                "SQL injection in the query",
                &injection.replace("/connect?q", "/samples?format"),
                &[],
                "400",
            ),
            probe(
                tunnel,
                "a file of the system as a path",
                "/../../../../etc/passwd",
                &["--path-as-is"],
                "404",
            ),
            probe(tunnel, "an upgrade to h2c", "/details", &h2c, "200"),
            probe(
                tunnel,
                "an oversized body",
                "/upload_data",
                &["-H", "Expect:", "-F", &format!("file={body};type=text/csv")],
                "413",
            ),
            probe(tunnel, "POST", "/details", &["-X", "POST"], "405"),
            probe(tunnel, "DELETE", "/upload_data", &["-X", "DELETE"], "405"),
            probe(Place::Balancer, "HTTP where TLS belongs", "/", &[], "000"),
            // The last, since it uses up what this address may ask.
            Probe {
                times: 100,
                expected: Expected::SomeTooFrequent,
                ..probe(
                    firewall,
                    "too frequent requests: answered 429",
                    "/connect?n=[1-100]",
                    &websocket,
                    "429",
                )
            },
        ]
    }

    /// The statuses of the answers.
    fn ask(&self, probe: &Probe) -> anyhow::Result<Vec<String>> {
        let base = match probe.place {
            Place::Firewall => format!("https://localhost:{}", self.firewall),
            Place::Tunnel => format!("http://localhost:{}", self.tunnel),
            Place::TcpTunnel => format!("http://localhost:{}", self.tcp_tunnel),
            Place::Balancer => format!("http://127.0.0.1:{}", self.balancer),
        };
        let output = Command::new("curl")
            .args([
                "--silent",
                "--http1.1",
                "--max-time",
                "60",
                "--noproxy",
                "*",
            ])
            .args(["--output", "/dev/null", "--write-out", "%{http_code}\n"])
            .arg("--cacert")
            .arg(self.folder.join("outer.crt"))
            .args(&probe.arguments)
            .arg(format!("{base}{}", probe.path))
            .output()
            .context("could not start curl")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Keys of Alice and Bob, their agreement, a table, and something too large for the room.
fn make_room(folder: &Path, programs: &Programs) -> anyhow::Result<()> {
    let mut users = String::new();
    for (name, shown) in [("alice", "Alice"), ("bob", "Bob")] {
        let output = programs
            .program("synclave")
            .args([
                "keygen",
                "--algorithm",
                "p256",
                "--key-name",
                name,
                "--output",
            ])
            .arg(folder)
            .output()?;
        ensure!(output.status.success(), "no key for {shown}");
        let printed = String::from_utf8(output.stdout)?;
        users += &format!(
            "  - user_name: {shown}\n    public_key: {}\n",
            printed.trim()
        );
    }
    let room = folder.join("room");
    fs::create_dir(&room)?;
    fs::write(
        room.join("service.yaml"),
        format!(
            "auth:\n- auth_name: default\n  auth_type: signed_headers\npaths:\n- path: /upload_data\n  access: data_provider\nroles:\n\
             - role_name: data_provider\n  role_auth: default\n  role_cardinality: 2\nusers:\n  data_provider:\n{users}"
        ),
    )?;
    fs::write(
        room.join("runtime.yaml"),
        "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\nlimits:\n  max_upload_bytes: 1000000\n",
    )?;
    let rows: String = (0..20_000).map(|id| format!("{id},{}\n", id % 7)).collect();
    fs::write(folder.join("table.csv"), format!("id,day\n{rows}"))?;
    let oversized: String = (0..400_000).map(|id| format!("{id},1\n")).collect();
    fs::write(folder.join("zeros"), format!("id,day\n{oversized}"))?;
    Ok(())
}

fn make_certificate(folder: &Path) -> anyhow::Result<()> {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-keyout",
            "outer.key",
            "-out",
            "outer.crt",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        // A client takes no authority for a server.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .context("could not start openssl")?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "no certificate: {said}");
    Ok(())
}

fn start_nginx(folder: &Path, port: u16, host: u16) -> anyhow::Result<Running> {
    let shown = folder.display();
    let server = changed(
        "nginx-websocket.conf",
        &[
            ("listen 443 ssl;", format!("listen 127.0.0.1:{port} ssl;")),
            (
                "server 127.0.0.1:8080;",
                format!("server 127.0.0.1:{host};"),
            ),
            ("/etc/synclave/outer.crt", format!("{shown}/outer.crt")),
            ("/etc/synclave/outer.key", format!("{shown}/outer.key")),
            (
                "/etc/synclave/modsecurity.conf",
                format!("{shown}/modsecurity.conf"),
            ),
        ],
    )?;
    let rules = changed(
        "modsecurity.conf",
        &[(
            "/var/log/nginx/synclave-modsecurity.log",
            format!("{shown}/modsecurity-audit.log"),
        )],
    )?;
    fs::write(folder.join("server.conf"), server)?;
    fs::write(folder.join("modsecurity.conf"), rules)?;
    let modules = "/usr/lib/nginx/modules";
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {shown}/nginx-{kind};\n"))
        .concat();
    let main = format!(
        "daemon off;\nmaster_process off;\npid {shown}/nginx.pid;\nerror_log {shown}/nginx-error.log;\n\
         load_module {modules}/ndk_http_module.so;\nload_module {modules}/ngx_http_modsecurity_module.so;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n  access_log {shown}/nginx-access.log;\n{temporary}  include {shown}/server.conf;\n}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, main)?;
    let mut nginx = Running::start(
        "nginx",
        Command::new("/usr/sbin/nginx").arg("-c").arg(file),
        folder,
    )?;
    nginx.listens(port)?;
    Ok(nginx)
}

fn start_haproxy(folder: &Path, port: u16, host: u16) -> anyhow::Result<Running> {
    let text = changed(
        "haproxy.cfg",
        &[
            ("bind :443", format!("bind 127.0.0.1:{port}")),
            (
                "server host 127.0.0.1:7000",
                format!("server host 127.0.0.1:{host}"),
            ),
        ],
    )?;
    let file = folder.join("haproxy.cfg");
    fs::write(&file, text)?;
    let mut haproxy = Running::start(
        "haproxy",
        Command::new("/usr/sbin/haproxy")
            .arg("-db")
            .arg("-f")
            .arg(file),
        folder,
    )?;
    haproxy.listens(port)?;
    Ok(haproxy)
}

/// A file of `deploy/`, with what is different on this machine: each must be in it exactly once, so that the rest is what people run.
fn changed(name: &str, changes: &[(&str, String)]) -> anyhow::Result<String> {
    let file = run::root().join("deploy").join(name);
    let mut text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    for (from, to) in changes {
        // Comments explain the values too.
        let lines = text.lines().map(|line| {
            if line.trim_start().starts_with('#') {
                line.to_owned()
            } else {
                line.replace(from, to)
            }
        });
        let new: Vec<String> = lines.collect();
        let count = text
            .lines()
            .zip(&new)
            .filter(|(old, new)| old != new)
            .count();
        if count != 1 {
            bail!("{name} has `{from}` {count} times");
        }
        text = new.join("\n") + "\n";
    }
    Ok(text)
}

/// `synclave connect` as this party, and its local port.
fn connect(
    folder: &Path,
    programs: &Programs,
    name: &'static str,
    url: &str,
    agreement: &str,
) -> anyhow::Result<(Running, u16)> {
    let port = free_port()?;
    let mut command = programs.program("synclave");
    command
        .current_dir(folder)
        .args(["connect", "--url", url, "--lport", &port.to_string()])
        .args(["--private-key", &format!("{name}_private.der")])
        .args(["--public-key", &format!("{name}_public.der")])
        .args([
            "--measurements",
            "measurements.json",
            "--agreement",
            agreement,
        ])
        .args(["--dangerous-root", "root.pem", "--outer-ca", "outer.crt"]);
    let mut running = Running::start(name, &mut command, folder)?;
    running.said("the room is at")?;
    Ok((running, port))
}

/// The text of a field in a line of JSON that one of our programs wrote.
fn field<'a>(line: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let start = format!("\"{name}\":\"");
    let rest = line.split_once(&start).map(|(_, rest)| rest);
    let value = rest.and_then(|rest| rest.split('"').next());
    value.with_context(|| format!("no {name} in {line}"))
}
