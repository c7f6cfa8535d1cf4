//! The page itself: files that are part of the program.

use std::hash::{DefaultHasher, Hash, Hasher};

use client::{SiteBody, site_body};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, Response, StatusCode};

/// Of `page/` at the root of the repository, by their names there.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// What is shown at the address itself.
pub(super) const INDEX: &str = "index.html";

/// The file of this name, for a browser that may have it already.
pub(super) fn answer(name: &str, headers: &HeaderMap) -> Option<Response<SiteBody>> {
    let (_, content) = FILES.iter().find(|(known, _)| *known == name)?;
    let tag = tag(content);
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| {
        let tags = tags.to_str().unwrap_or_default().split(',');
        tags.map(str::trim).any(|known| known == tag)
    });
    let mut response = match known {
        true => {
            let mut response = Response::new(site_body(Full::default()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => Response::new(site_body(Full::new(Bytes::from_static(content)))),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    // Kept by the browser, and asked for each time whether it is still this one: another version of
    // the program may answer at the same address tomorrow.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    Some(response)
}

/// Tells two versions of a file apart. Nobody gains anything by making them the same.
fn tag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{ETAG, IF_NONE_MATCH};

    use super::{FILES, INDEX, answer, content_type};

    #[test]
    fn every_file_that_the_page_names_is_there_with_a_type_that_browsers_take() {
        let (_, index) = FILES.iter().find(|(name, _)| *name == INDEX).unwrap();
        let index = str::from_utf8(index).unwrap();
        let named: Vec<&str> = index
            .split('"')
            .filter_map(|part| part.strip_prefix("/page/"))
            .collect();
        assert!(!named.is_empty());
        for name in named {
            assert!(answer(name, &HeaderMap::new()).is_some(), "{name}");
        }
        for (name, _) in FILES {
            assert_ne!(content_type(name), "application/octet-stream", "{name}");
        }
        for other in ["", "types.d.ts", "../Cargo.toml", "tests/page.js", "vendor"] {
            assert!(answer(other, &HeaderMap::new()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_browser_that_has_a_file_is_not_sent_it_again() {
        let first = answer(INDEX, &HeaderMap::new()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(answer(INDEX, &headers).unwrap().status(), 304);
        headers.insert(IF_NONE_MATCH, "\"other\"".parse().unwrap());
        assert_eq!(answer(INDEX, &headers).unwrap().status(), 200);
    }
}
