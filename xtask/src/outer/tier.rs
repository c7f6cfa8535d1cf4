//! Enclave, host, nginx, HAProxy and two parties, as they run together.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::hybrid;
use super::programs::Programs;
use super::room::{make_certificate, make_room};
use super::running::{Running, free_port};
use crate::run;

/// Everything that runs.
pub(super) struct Tier {
    pub(super) folder: PathBuf,
    /// Ports on this machine.
    pub(super) firewall: u16,
    pub(super) balancer: u16,
    pub(super) tunnel: u16,
    pub(super) tcp_tunnel: u16,
    _running: Vec<Running>,
}

impl Tier {
    pub(super) fn start(folder: PathBuf, programs: &Programs) -> anyhow::Result<Self> {
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
        "daemon off;\nmaster_process off;\npid {shown}/nginx.pid;\nerror_log \
         {shown}/nginx-error.log;\n\
         load_module {modules}/ndk_http_module.so;\nload_module \
         {modules}/ngx_http_modsecurity_module.so;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n  access_log {shown}/nginx-access.log;\n{temporary}  include \
         {shown}/server.conf;\n}}\n"
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

/// A file of `deploy/`, with what is different on this machine: each must be in it exactly once, so
/// that the rest is what people run.
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
