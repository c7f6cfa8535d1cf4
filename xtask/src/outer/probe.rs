//! What is sent to the outer tier, and how it must be answered.

use std::process::Command;

use anyhow::Context;

use super::tier::Tier;

/// Every probe of the outer tier: what is asked where, and the status that must come.
pub(super) fn probes(tier: &Tier) -> Vec<Probe> {
    let probe = |place, what, path: &str, arguments: &[&str], status| Probe {
        place,
        what,
        path: path.to_owned(),
        arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
        times: 1,
        expected: Expected::Status(status),
    };
    let table = tier.folder.join("table.csv");
    let file = format!("file=@{};type=text/csv", table.display());
    let zeros = tier.folder.join("zeros");
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

/// Where a probe goes.
#[derive(Clone, Copy)]
pub(super) enum Place {
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
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Firewall => "firewall",
            Self::Tunnel | Self::TcpTunnel => "tunnel",
            Self::Balancer => "balancer",
        }
    }
}

pub(super) enum Expected {
    /// This status; 000 is a connection closed without one.
    Status(&'static str),
    /// Some are answered 429, and not all.
    SomeTooFrequent,
}

impl Expected {
    pub(super) fn holds(&self, answers: &[String]) -> bool {
        match self {
            Self::Status(status) => answers.iter().all(|it| it == status) && !answers.is_empty(),
            Self::SomeTooFrequent => {
                let refused = answers.iter().filter(|it| *it == "429").count();
                refused > 0 && refused < answers.len()
            }
        }
    }
}

pub(super) struct Probe {
    pub(super) place: Place,
    pub(super) what: &'static str,
    path: String,
    arguments: Vec<String>,
    pub(super) times: usize,
    pub(super) expected: Expected,
}

impl Probe {
    /// Sends it, and gives the statuses of the answers.
    pub(super) fn ask(&self, tier: &Tier) -> anyhow::Result<Vec<String>> {
        let base = match self.place {
            Place::Firewall => format!("https://localhost:{}", tier.firewall),
            Place::Tunnel => format!("http://localhost:{}", tier.tunnel),
            Place::TcpTunnel => format!("http://localhost:{}", tier.tcp_tunnel),
            Place::Balancer => format!("http://127.0.0.1:{}", tier.balancer),
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
            .arg(tier.folder.join("outer.crt"))
            .args(&self.arguments)
            .arg(format!("{base}{}", self.path))
            .output()
            .context("could not start curl")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }
}
