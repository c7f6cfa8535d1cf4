//! What browsers, previews and programs really send, and what the local port makes of it.

use super::tests::answer;

type Headers = &'static [(&'static str, &'static str)];

const HOST: (&str, &str) = ("host", "localhost:3030");
const HERE: (&str, &str) = ("origin", "http://localhost:3030");

const SAFARI_5: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_6_8) AppleWebKit/534.57.2 (KHTML, like Gecko) Version/5.1.7 Safari/534.57.2";
const SAFARI_IOS_9: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 9_3 like Mac OS X) AppleWebKit/601.1.46 (KHTML, like Gecko) Version/9.0 Mobile/13E233 Safari/601.1";
const SAFARI_IOS_17: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1";
const IE_11: &str = "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko";
const FIREFOX_60: &str =
    "Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:60.0) Gecko/20100101 Firefox/60.0";
const FIREFOX_128: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const CHROME_49: &str = "Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/49.0.2623.112 Safari/537.36";
const CHROME_126: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
const WEB_VIEW: &str = "Mozilla/5.0 (Linux; Android 6.0; Nexus 5 Build/MRA58N; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/58.0.3029.83 Mobile Safari/537.36";
const OPERA_12: &str = "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18";
const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const HTML_OF_CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";

/// Visits, images, prefetches and previews. What a page of another site makes an old browser send is among them: it has neither `Origin`
/// nor `Sec-Fetch-Site`, and no `Referer` where that page came by https.
const BROWSERS: [(&str, Headers); 25] = [
    ("Safari 5, typed", &[("user-agent", SAFARI_5), ("accept", HTML), ("accept-language", "en-us"), ("accept-encoding", "gzip, deflate"), ("connection", "keep-alive")]),
    ("Safari 5, an image", &[("user-agent", SAFARI_5), ("accept", "*/*"), ("accept-language", "en-us"), ("accept-encoding", "gzip, deflate"), ("connection", "keep-alive")]),
    ("Safari 5, as little as an agent", &[("user-agent", SAFARI_5)]),
    ("Safari on iOS 9, typed", &[("user-agent", SAFARI_IOS_9), ("accept", HTML), ("accept-language", "de-at"), ("accept-encoding", "gzip, deflate")]),
    ("Safari on iOS 9, Top Sites", &[("user-agent", SAFARI_IOS_9), ("accept", HTML), ("x-purpose", "preview")]),
    ("Safari on iOS 17, typed", &[("user-agent", SAFARI_IOS_17), ("accept", HTML), ("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("accept-language", "en-GB,en;q=0.9")]),
    ("Internet Explorer 11, typed", &[("user-agent", IE_11), ("accept", "text/html, application/xhtml+xml, image/jxr, */*"), ("accept-language", "en-US"), ("accept-encoding", "gzip, deflate"), ("connection", "Keep-Alive")]),
    ("Internet Explorer 11, an image", &[("user-agent", IE_11), ("accept", "image/png, image/svg+xml, image/jxr, image/*;q=0.8, */*;q=0.5"), ("accept-language", "en-US")]),
    ("Internet Explorer 11, a script", &[("user-agent", IE_11), ("accept", "application/javascript, */*;q=0.8"), ("accept-language", "en-US")]),
    ("Firefox 60, typed", &[("user-agent", FIREFOX_60), ("accept", HTML), ("accept-language", "en-US,en;q=0.5"), ("accept-encoding", "gzip, deflate"), ("connection", "keep-alive"), ("upgrade-insecure-requests", "1")]),
    ("Firefox 60, an image", &[("user-agent", FIREFOX_60), ("accept", "*/*"), ("accept-language", "en-US,en;q=0.5"), ("dnt", "1")]),
    ("Firefox 60, a prefetch", &[("user-agent", FIREFOX_60), ("accept", HTML), ("x-moz", "prefetch")]),
    ("Firefox 128, typed", &[("user-agent", FIREFOX_128), ("accept", HTML), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "none"), ("sec-fetch-user", "?1"), ("priority", "u=0, i")]),
    ("Chrome 49, typed", &[("user-agent", CHROME_49), ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"), ("accept-language", "en-US,en;q=0.8"), ("upgrade-insecure-requests", "1")]),
    ("Chrome 49, an image", &[("user-agent", CHROME_49), ("accept", "image/webp,image/*,*/*;q=0.8"), ("accept-language", "en-US,en;q=0.8")]),
    ("Chrome 49, a prefetch", &[("user-agent", CHROME_49), ("accept", "*/*"), ("purpose", "prefetch")]),
    ("Chrome 126, typed", &[("user-agent", CHROME_126), ("accept", HTML_OF_CHROME), ("sec-ch-ua", "\"Chromium\";v=\"126\""), ("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]),
    ("Chrome 126, a prerender", &[("user-agent", CHROME_126), ("accept", HTML_OF_CHROME), ("sec-fetch-site", "none"), ("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch")]),
    ("WebView on Android 6", &[("user-agent", WEB_VIEW), ("accept", HTML), ("accept-language", "en-US"), ("x-requested-with", "org.example.app")]),
    ("WebView with a name of its own", &[("user-agent", "ExampleApp/3.1"), ("accept", HTML)]),
    ("Opera 12", &[("user-agent", OPERA_12), ("accept", "text/html, application/xml;q=0.9, application/xhtml+xml, image/png, */*;q=0.1"), ("accept-language", "en")]),
    ("Lynx", &[("user-agent", "Lynx/2.8.9rel.1 libwww-FM/2.14"), ("accept", "text/html, text/plain, text/sgml, */*;q=0.01"), ("accept-language", "en")]),
    ("a preview in iMessage", &[("user-agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"), ("accept", "*/*")]),
    ("a preview in Slack", &[("user-agent", "Mozilla/5.0 (compatible; Slackbot-LinkExpanding 1.0; +https://api.slack.com/robots)"), ("accept", "*/*"), ("range", "bytes=0-32768")]),
    ("a page's fetch without cors", &[("user-agent", SAFARI_IOS_9), ("accept", "*/*"), ("content-type", "text/plain;charset=UTF-8")]),
];

/// Previews that do not claim to be browsers, and a browser behind something that takes its name away.
const PREVIEWS: [(&str, Headers); 5] = [
    ("WhatsApp", &[("user-agent", "WhatsApp/2.23.20.0"), ("accept", "*/*")]),
    ("Telegram", &[("user-agent", "TelegramBot (like TwitterBot)"), ("accept", "*/*")]),
    ("Facebook", &[("user-agent", "facebookexternalhit/1.1"), ("accept", "*/*")]),
    ("no name", &[("accept", "*/*"), ("accept-encoding", "gzip, deflate")]),
    ("curl's name, with a language", &[("user-agent", "curl/8.0"), ("accept", "*/*"), ("accept-language", "en")]),
];

/// As the workshop's steps are made, and like programs.
const PROGRAMS: [(&str, Headers); 8] = [
    ("curl", &[("user-agent", "curl/8.5.0"), ("accept", "*/*")]),
    ("curl --compressed", &[("user-agent", "curl/7.29.0"), ("accept", "*/*"), ("accept-encoding", "deflate, gzip, br, zstd")]),
    ("requests", &[("user-agent", "python-requests/2.32.3"), ("accept-encoding", "gzip, deflate"), ("accept", "*/*"), ("connection", "keep-alive")]),
    ("requests with a netrc", &[("user-agent", "python-requests/2.4"), ("accept", "*/*"), ("authorization", "Basic eA==")]),
    ("httpx", &[("user-agent", "python-httpx/0.27.0"), ("accept", "*/*"), ("accept-encoding", "gzip, deflate"), ("connection", "keep-alive")]),
    ("urllib", &[("user-agent", "Python-urllib/3.12"), ("accept-encoding", "identity"), ("connection", "close")]),
    ("aiohttp", &[("user-agent", "Python/3.11 aiohttp/3.9.5"), ("accept", "*/*"), ("accept-encoding", "gzip, deflate")]),
    ("wget", &[("user-agent", "Wget/1.21.4"), ("accept", "*/*"), ("accept-encoding", "identity"), ("connection", "Keep-Alive")]),
];

/// Programs that must send a POST, as their GET could be somebody else's.
const OTHER_PROGRAMS: [(&str, Headers); 6] = [
    ("Node", &[("user-agent", "node"), ("accept", "*/*"), ("accept-language", "*"), ("sec-fetch-mode", "cors")]),
    ("Go", &[("user-agent", "Go-http-client/1.1"), ("accept-encoding", "gzip")]),
    ("R", &[("user-agent", "libcurl/7.88.1 r-curl/5.2.1 httr/1.4.7"), ("accept", "application/json, text/xml, application/xml, */*")]),
    ("PowerShell", &[("user-agent", "Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.22631; en-US) PowerShell/7.4.2")]),
    ("Java", &[("user-agent", "Java-http-client/21.0.2")]),
    ("bare", &[]),
];

/// Every path that changes the room, with the method that does.
const CHANGES: [&str; 3] = [
    "POST /upload_data",
    "POST /confirm_data",
    "POST /withdraw_confirmation",
];

fn with(more: &[(&'static str, &'static str)], headers: Headers) -> Vec<(&'static str, &'static str)> {
    [more, headers].concat()
}

#[test]
fn no_browser_confirms_by_a_visit() {
    for (name, headers) in BROWSERS.iter().chain(&PREVIEWS) {
        let answer = answer("GET /confirm_data", &with(&[HOST], headers));
        assert_eq!(answer, "confirm-by-visit", "{name}");
    }
    for (name, headers) in BROWSERS {
        let linked = with(&[HOST, ("referer", "http://localhost:3030/")], headers);
        let answer = answer("GET /confirm_data?commitments=", &linked);
        assert_eq!(answer, "confirm-by-visit", "{name}");
    }
}

#[test]
fn no_browser_changes_the_room_for_a_page_that_is_not_named() {
    let old = BROWSERS
        .iter()
        .filter(|(_, headers)| headers.iter().all(|(header, _)| *header != "sec-fetch-site"));
    for (name, headers) in old {
        for change in CHANGES {
            let nameless = answer(change, &with(&[HOST], headers));
            assert_eq!(nameless, "page-unknown", "{name}: {change}");
            let foreign = with(&[HOST, ("referer", "http://evil.example/")], headers);
            assert_eq!(answer(change, &foreign), "foreign-page", "{name}: {change}");
        }
    }
    for (name, headers) in BROWSERS {
        for change in CHANGES {
            for origin in ["https://evil.example", "null", "http://localhost:8888"] {
                let foreign = with(&[HOST, ("origin", origin)], headers);
                assert_eq!(answer(change, &foreign), "foreign-page", "{name}: {change}");
            }
            let here = answer(change, &with(&[HOST, HERE], headers));
            assert_eq!(here, "passes", "{name}: {change}");
        }
    }
}

#[test]
fn programs_change_the_room() {
    for (name, headers) in PROGRAMS {
        let answer = answer("GET /confirm_data", &with(&[HOST], headers));
        assert_eq!(answer, "passes", "{name}");
    }
    for (name, headers) in OTHER_PROGRAMS {
        let answer = answer("GET /confirm_data", &with(&[HOST], headers));
        assert_eq!(answer, "confirm-by-visit", "{name}");
    }
    for (name, headers) in PROGRAMS.iter().chain(&OTHER_PROGRAMS) {
        for change in CHANGES {
            let answer = answer(change, &with(&[HOST], headers));
            assert_eq!(answer, "passes", "{name}: {change}");
        }
    }
}

#[test]
fn browsers_read_what_they_like() {
    for (name, headers) in BROWSERS {
        let answer = answer("GET /details", &with(&[HOST], headers));
        assert_eq!(answer, "passes", "{name}");
    }
}
