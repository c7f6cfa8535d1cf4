//! PROXY protocol, version 2: how a load balancer says who connects.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2. Stricter than that
//! text: TCP only, and what follows the addresses must be whole records.
// Not `ppp` (2.3): it refuses a LOCAL header whose addresses are short or of a family unknown to
// it, which the text tells receivers to ignore, and takes what no client of ours sends (UDP, Unix,
// port 0).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const START_BYTES: usize = 16;
/// Of what follows the start: addresses and records. Load balancers send some dozens of bytes.
const MAX_REST_BYTES: usize = 1024;

/// Who connects, as the load balancer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client behind it.
    Client(SocketAddr),
    /// The load balancer itself, to see whether this side is well.
    Balancer,
}

/// Why what a connection begins with is not a header of version 2.
#[derive(Debug, thiserror::Error)]
pub enum BadHeader {
    /// Something else, perhaps a header of version 1.
    #[error("it does not begin with the signature")]
    Signature,
    /// Only version 2 is spoken, and its commands are LOCAL and PROXY.
    #[error("its version or command is {0:#04x}")]
    Command(u8),
    /// Clients come over TCP, by IPv4 or IPv6.
    #[error("its address family is {0:#04x}")]
    Family(u8),
    /// Too short for the addresses, or longer than any load balancer's.
    #[error("its length is {0}")]
    Length(usize),
    /// What follows the addresses is not made of whole records.
    #[error("a record in it is not whole")]
    Record,
    /// No client has this port.
    #[error("the client's port is 0")]
    Port,
    /// The connection was lost, or ended within the header.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads a header and not a byte more. The caller applies a deadline.
///
/// # Errors
/// [`BadHeader`]; a stream that does not begin with a header cannot be used any more.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Origin, BadHeader> {
    let mut start = [0; START_BYTES];
    // Sixteen bytes that every header of version 2 has, and not one more: what follows belongs to
    // the client.
    stream.read_exact(&mut start).await?;
    let start = Start::parse(&start)?;
    let mut rest = vec![0; start.length];
    stream.read_exact(&mut rest).await?;
    start.origin(&rest)
}

struct Start {
    local: bool,
    family: u8,
    length: usize,
}

impl Start {
    fn parse(bytes: &[u8; START_BYTES]) -> Result<Self, BadHeader> {
        let (signature, rest) = bytes.split_at(SIGNATURE.len());
        if signature != SIGNATURE {
            return Err(BadHeader::Signature);
        }
        // The high half is the version, the low one the command.
        let local = match rest[0] {
            0x20 => true,
            0x21 => false,
            other => return Err(BadHeader::Command(other)),
        };
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        // Before anything is allocated for it.
        if length > MAX_REST_BYTES {
            return Err(BadHeader::Length(length));
        }
        Ok(Self {
            local,
            family: rest[1],
            length,
        })
    }

    fn origin(&self, rest: &[u8]) -> Result<Origin, BadHeader> {
        // What a balancer says of itself means nothing, whatever it is.
        if self.local {
            return Ok(Origin::Balancer);
        }
        let too_short = BadHeader::Length(rest.len());
        let (address, port, records) = match self.family {
            // 0x1 and 0x2 are IPv4 and IPv6 in the high half, 0x1 in the low half is TCP.
            0x11 => {
                let (addresses, records) = rest.split_first_chunk::<12>().ok_or(too_short)?;
                let [a, b, c, d, .., high, low, _, _] = *addresses;
                let port = u16::from_be_bytes([high, low]);
                (IpAddr::from(Ipv4Addr::new(a, b, c, d)), port, records)
            }
            0x21 => {
                let (addresses, records) = rest.split_first_chunk::<36>().ok_or(too_short)?;
                let source = addresses.first_chunk::<16>().expect("36 is more than 16");
                let port = u16::from_be_bytes([addresses[32], addresses[33]]);
                (IpAddr::from(Ipv6Addr::from(*source)), port, records)
            }
            other => return Err(BadHeader::Family(other)),
        };
        check_records(records)?;
        if port == 0 {
            return Err(BadHeader::Port);
        }
        Ok(Origin::Client(SocketAddr::new(
            // IPv4 in IPv6's clothes counts as the IPv4 address that it is.
            address.to_canonical(),
            port,
        )))
    }
}

/// Each record is a kind, a length (16 bits, big-endian) and that many bytes. What they say is not
/// used.
fn check_records(mut rest: &[u8]) -> Result<(), BadHeader> {
    while !rest.is_empty() {
        let ([_, high, low], value) = rest.split_first_chunk().ok_or(BadHeader::Record)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        rest = value.get(length..).ok_or(BadHeader::Record)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];

    fn v6() -> Vec<u8> {
        let [source, destination] = ["2001:db8::7", "2001:db8::1"]
            .map(|address| address.parse::<Ipv6Addr>().unwrap().octets());
        [&source[..], &destination, &[0x30, 0x39, 0x01, 0xbb]].concat()
    }

    async fn parsed(mut bytes: &[u8]) -> Result<(Origin, usize), BadHeader> {
        let origin = read(&mut bytes).await?;
        Ok((origin, bytes.len()))
    }

    #[tokio::test]
    async fn what_balancers_send_is_read_and_what_follows_is_left() {
        let record = [&[0x04, 0, 3][..], b"abc", &[0xea, 0, 0]].concat();
        for (bytes, expected) in [
            (header(0x21, 0x11, &V4), "192.0.2.7:12345"),
            (header(0x21, 0x21, &v6()), "[2001:db8::7]:12345"),
            (
                header(0x21, 0x11, &[&V4[..], &record].concat()),
                "192.0.2.7:12345",
            ),
        ] {
            let bytes = [&bytes[..], b"hello"].concat();
            let expected = Origin::Client(expected.parse().unwrap());
            assert_eq!(parsed(&bytes).await.unwrap(), (expected, 5));
        }
        for bytes in [header(0x20, 0x00, &[]), header(0x20, 0x11, &V4)] {
            assert_eq!(parsed(&bytes).await.unwrap(), (Origin::Balancer, 0));
        }
    }

    #[tokio::test]
    async fn an_ipv4_address_in_ipv6_form_is_the_same_client() {
        let mut rest = v6();
        rest[..16].copy_from_slice(&Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets());
        let (origin, _) = parsed(&header(0x21, 0x21, &rest)).await.unwrap();
        assert_eq!(origin, Origin::Client("192.0.2.7:12345".parse().unwrap()));
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let no_port = [192, 0, 2, 7, 10, 0, 0, 1, 0, 0, 0x01, 0xbb];
        let with = |records: &[u8]| header(0x21, 0x11, &[&V4[..], records].concat());
        let mut long = header(0x21, 0x11, &V4);
        long[14..16].copy_from_slice(&2000_u16.to_be_bytes());
        for (bytes, expected) in [
            (
                b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n".to_vec(),
                "it does not begin with the signature",
            ),
            (
                b"GET / HTTP/1.1\r\nHost: room\r\n\r\n".to_vec(),
                "it does not begin with the signature",
            ),
            (
                [&[0x16, 3, 1], &[0; 29][..]].concat(),
                "it does not begin with the signature",
            ),
            (header(0x11, 0x11, &V4), "its version or command is 0x11"),
            (header(0x22, 0x11, &V4), "its version or command is 0x22"),
            (header(0x21, 0x00, &[]), "its address family is 0x00"),
            (header(0x21, 0x12, &V4), "its address family is 0x12"),
            (header(0x21, 0x31, &[0; 216]), "its address family is 0x31"),
            (header(0x21, 0x11, &V4[..11]), "its length is 11"),
            (header(0x21, 0x21, &V4), "its length is 12"),
            (long, "its length is 2000"),
            (header(0x21, 0x11, &no_port), "the client's port is 0"),
            (with(&[4]), "a record in it is not whole"),
            (with(&[4, 0, 2, b'a']), "a record in it is not whole"),
            (with(&[4, 0xff, 0xff]), "a record in it is not whole"),
        ] {
            assert_eq!(parsed(&bytes).await.unwrap_err().to_string(), expected);
        }
        let whole = header(0x21, 0x11, &V4);
        for end in 0..whole.len() {
            let error = parsed(&whole[..end]).await.unwrap_err();
            assert!(matches!(error, BadHeader::Io(_)), "{end}: {error}");
        }
    }
}
