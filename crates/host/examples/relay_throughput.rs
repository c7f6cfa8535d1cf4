//! How fast the relay is, beside `socat` on the same path, and how much memory it takes.
//!
//! Usage: `cargo run --release -p synclave-host --example relay_throughput [MEGABYTES]` (2000 by
//! default), after `cargo build --release -p synclave-host`. Bytes go over TCP on loopback to the
//! relay, and from there over a Unix socket to a reader that counts them: through `synclave-host`
//! (raw TCP) and through `socat TCP-LISTEN UNIX-CONNECT`, each a process of its own, three times
//! each, in turn. The best of three counts. On a busy machine the times say little; the processor's
//! seconds, of all three runs together, say more.
#![expect(clippy::print_stderr, reason = "a measurement for people")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const PART: usize = 64 * 1024;

fn main() -> Outcome<()> {
    let megabytes: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(2000), |text| text.parse())?;
    let bytes = megabytes * 1_000_000;
    let folder = std::env::temp_dir().join(format!("relay-throughput-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let measured = measure(bytes, &folder);
    std::fs::remove_dir_all(&folder)?;
    let (host, socat, memory) = measured?;
    let per_gigabyte = |it: &Measured| it.seconds / (3.0 * bytes as f64 / 1e9);
    for (name, it) in [("synclave-host", &host), ("socat", &socat)] {
        let seconds = per_gigabyte(it);
        eprintln!("{:>8.0} MB/s  {seconds:>6.3} CPU s a GB  {name}", it.rate);
    }
    let faster = host.rate / socat.rate;
    let cheaper = per_gigabyte(&socat) / per_gigabyte(&host);
    eprintln!("{faster:>8.2}       {cheaper:>6.2}             of socat");
    eprintln!(
        "the host's peak memory: {:.1} MB after {} MB sent, {:.1} MB after {} MB",
        memory.0 as f64 / 1e3,
        megabytes,
        memory.1 as f64 / 1e3,
        3 * megabytes
    );
    Ok(())
}

#[derive(Default)]
struct Measured {
    /// The best, in MB/s.
    rate: f64,
    /// Of the processor.
    seconds: f64,
}

/// The two, and the host's peak memory in kB after the first run and after the last.
fn measure(bytes: u64, folder: &Path) -> Outcome<(Measured, Measured, (u64, u64))> {
    let (enclave, plain) = (folder.join("enclave"), folder.join("plain"));
    serve(UnixListener::bind(&enclave)?, true);
    serve(UnixListener::bind(&plain)?, false);
    let (host_program, host_port) = start_host(&enclave)?;
    let (socat_program, socat_port) = start_socat(&plain)?;
    let (mut host, mut socat) = (Measured::default(), Measured::default());
    let mut memory = (0, 0);
    for round in 0..3 {
        host.rate = host.rate.max(rate(host_port, bytes)?);
        socat.rate = socat.rate.max(rate(socat_port, bytes)?);
        memory.1 = peak(host_program.0.id())?;
        if round == 0 {
            memory.0 = memory.1;
        }
    }
    host.seconds = processor(host_program.0.id())?;
    socat.seconds = processor(socat_program.0.id())?;
    Ok((host, socat, memory))
}

/// Ends the program with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start_host(enclave: &Path) -> Outcome<(Running, u16)> {
    let program = std::env::current_exe()?;
    let beside = program.parent().and_then(Path::parent);
    let program = beside.ok_or("no folder")?.join("synclave-host");
    let mut child = Command::new(program)
        .args(["--listen", "127.0.0.1:0", "--enclave"])
        .arg(format!("unix:{}", enclave.display()))
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = child.stderr.take().ok_or("no log")?;
    let running = Running(child);
    let mut lines = BufReader::new(stderr).lines();
    let first = lines.next().ok_or("it said nothing")??;
    let event: serde_json::Value = serde_json::from_str(&first)?;
    let address = event["address"].as_str().ok_or("no address")?;
    let port = address.rsplit(':').next().ok_or("no port")?.parse()?;
    std::thread::spawn(move || lines.for_each(drop));
    Ok((running, port))
}

fn start_socat(plain: &Path) -> Outcome<(Running, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let child = Command::new("socat")
        .arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork"))
        .arg(format!("UNIX-CONNECT:{}", plain.display()))
        .spawn()
        .map_err(|error| format!("socat: {error}; scripts/install-outer installs it"))?;
    Ok((Running(child), port))
}

/// Counts what each connection brings, and says how much when it ends.
fn serve(listener: UnixListener, greets: bool) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || count(stream, greets));
        }
    });
}

fn count(mut stream: UnixStream, greets: bool) -> std::io::Result<()> {
    if greets {
        let mut byte = [0];
        while byte != *b"\n" {
            stream.read_exact(&mut byte)?;
        }
        stream.write_all(b"OK 1\n")?;
    }
    let (mut total, mut part) = (0_u64, vec![0; PART]);
    loop {
        match stream.read(&mut part)? {
            0 => break,
            length => total += length as u64,
        }
    }
    stream.write_all(&total.to_be_bytes())
}

/// Sends this number of bytes, and waits until the other end says that it has them all.
fn rate(port: u16, bytes: u64) -> Outcome<f64> {
    let mut stream = connect(port)?;
    let part = vec![0x5a; PART];
    let start = Instant::now();
    let mut left = bytes;
    while left > 0 {
        let length = left.min(PART as u64);
        stream.write_all(&part[..usize::try_from(length)?])?;
        left -= length;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer)?;
    if u64::from_be_bytes(answer) != bytes {
        return Err("bytes were lost".into());
    }
    Ok(bytes as f64 / start.elapsed().as_secs_f64() / 1e6)
}

/// The other program may need a moment.
fn connect(port: u16) -> std::io::Result<TcpStream> {
    let mut attempts = 100;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Err(_) if attempts > 0 => {
                attempts -= 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

fn peak(process: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.ok_or("no peak")?.split_whitespace().next();
    Ok(number.ok_or("no peak")?.parse()?)
}

/// Seconds of the processor so far, of the process and of its children that have ended.
fn processor(process: u32) -> Outcome<f64> {
    // A child needs a moment to end.
    std::thread::sleep(Duration::from_millis(500));
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no fields")?;
    // The 14th to the 17th field, in hundredths of a second; two come before the parenthesis.
    let ticks = fields.split(' ').skip(11).take(4).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()? as f64 / 100.0)
}
