//! What may pass between the local side and the room.

use hyper::HeaderMap;
use hyper::header::{CONNECTION, HeaderName};

/// Headers that concern one hop only (RFC 9110, section 7.6.1), and `expect`, which the local side
/// answers itself.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a browser sends along for every server on `localhost`: it is not the room's business.
const PERSONAL: [&str; 2] = ["authorization", "cookie"];

/// Removes what concerns one hop, what `Connection` names, and every header in which the room's own
/// front door would name a user.
pub(crate) fn strip(headers: &mut HeaderMap) {
    // Headers may name others of one hop in `Connection`, and so hide them from the next one.
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    // Collected first, as a map cannot lose entries while it is looked through.
    let doomed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            HOP_BY_HOP.contains(&name.as_str())
                || PERSONAL.contains(&name.as_str())
                || is_reserved(name)
                || named.iter().any(|it| it == name.as_str())
        })
        .cloned()
        .collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// `x-oblv-*` and `x-synclave-*`, also written with underscores: some servers take `_` for `-`.
fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    name.starts_with("x-oblv") || name.starts_with("x-synclave")
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{HeaderName, HeaderValue};

    fn stripped(lines: &[(&str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        super::strip(&mut headers);
        let mut left: Vec<String> = headers
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn names_of_users_do_not_pass_in_any_spelling() {
        let forged = [
            ("X-OBLV-User-Name", "Bob"),
            ("x_oblv_user_role", "data_provider"),
            ("X-Synclave-User", "Bob"),
            ("x-oblv_role", "x"),
        ];
        assert_eq!(stripped(&forged), Vec::<String>::new());
    }

    #[test]
    fn what_concerns_one_hop_or_another_server_stays_there() {
        let lines = [
            ("Connection", "close, X-Private"),
            ("X-Private", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("Expect", "100-continue"),
            ("Accept", "*/*"),
            ("Content-Type", "text/csv"),
            ("Cookie", "session-of-another-port=1"),
            ("Authorization", "Basic x"),
        ];
        assert_eq!(stripped(&lines), ["accept", "content-type"]);
    }
}
