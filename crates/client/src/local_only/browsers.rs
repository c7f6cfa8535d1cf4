//! What browsers, previews and programs really send, and what the local port makes of it.

use super::tests::answer;

type Header = (&'static str, &'static str);

const REQUESTS: &str = include_str!("requests.txt");
const HOST: Header = ("host", "localhost:3030");
const HERE: Header = ("origin", "http://localhost:3030");

/// Every path that changes the room, with the method that does.
const CHANGES: [&str; 3] = [
    "POST /upload_data",
    "POST /confirm_data",
    "POST /withdraw_confirmation",
];

/// What a form can be sent as.
const FORMS: [&str; 4] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "Text/Plain;charset=UTF-8",
];

/// The requests of one kind, each with its name.
fn requests(kind: &str) -> Vec<(&'static str, Vec<Header>)> {
    let of_kind = REQUESTS
        .split("== ")
        .find_map(|section| section.strip_prefix(kind)?.strip_prefix('\n'));
    let requests = of_kind.expect("such a section").split("-- ").skip(1);
    requests
        .map(|request| {
            let mut lines = request.lines();
            let name = lines.next().expect("a name");
            (
                name,
                lines.filter_map(|line| line.split_once(": ")).collect(),
            )
        })
        .collect()
}

fn with(more: &[Header], headers: &[Header]) -> Vec<Header> {
    [&[HOST], more, headers].concat()
}

#[test]
fn no_browser_confirms_by_a_visit() {
    for (name, headers) in requests("browsers").iter().chain(&requests("previews")) {
        let answer = answer("GET /confirm_data", &with(&[], headers));
        assert_eq!(answer, "confirm-by-visit", "{name}");
    }
    for (name, headers) in requests("browsers") {
        let linked = with(&[("referer", "http://localhost:3030/")], &headers);
        let answer = answer("GET /confirm_data?commitments=", &linked);
        assert_eq!(answer, "confirm-by-visit", "{name}");
    }
}

#[test]
fn no_browser_changes_the_room_for_a_page_that_is_not_named() {
    for (name, headers) in requests("browsers") {
        let is_new = headers
            .iter()
            .any(|(header, _)| *header == "Sec-Fetch-Site");
        for change in CHANGES {
            if !is_new {
                let nameless = answer(change, &with(&[], &headers));
                assert_eq!(nameless, "page-unknown", "{name}: {change}");
            }
            let foreign = with(&[("referer", "http://evil.example/")], &headers);
            assert_eq!(answer(change, &foreign), "foreign-page", "{name}: {change}");
            for origin in ["https://evil.example", "null", "http://localhost:8888"] {
                let foreign = with(&[("origin", origin)], &headers);
                assert_eq!(answer(change, &foreign), "foreign-page", "{name}: {change}");
            }
            let here = answer(change, &with(&[HERE], &headers));
            assert_eq!(here, "passes", "{name}: {change}");
        }
    }
}

#[test]
fn programs_change_the_room() {
    for (name, headers) in requests("programs") {
        let answer = answer("GET /confirm_data", &with(&[], &headers));
        assert_eq!(answer, "passes", "{name}");
    }
    let strangers = requests("strangers");
    let others = [requests("other programs"), strangers.clone()].concat();
    // Their GET could be somebody else's.
    for (name, headers) in &others {
        let answer = answer("GET /confirm_data", &with(&[], headers));
        assert_eq!(answer, "confirm-by-visit", "{name}");
    }
    let named = [requests("programs"), requests("other programs")].concat();
    for change in CHANGES {
        for kind in FORMS {
            for (name, headers) in &named {
                let form = with(&[("content-type", kind)], headers);
                assert_eq!(answer(change, &form), "passes", "{name}: {change} {kind}");
            }
        }
        // No browser sends anything but a form for a page of another site without asking.
        for kind in [None, Some(("content-type", "application/json"))] {
            for (name, headers) in named.iter().chain(&strangers) {
                let answer = answer(change, &with(kind.as_slice(), headers));
                assert_eq!(answer, "passes", "{name}: {change} {kind:?}");
            }
        }
    }
}

#[test]
fn a_form_of_an_unknown_agent_must_say_where_it_is_from() {
    for (name, headers) in requests("strangers") {
        for change in CHANGES {
            for kind in FORMS {
                let form = with(&[("content-type", kind)], &headers);
                let nameless = answer(change, &form);
                assert_eq!(nameless, "page-unknown", "{name}: {change} {kind}");
                let here = answer(change, &[form, vec![HERE]].concat());
                assert_eq!(here, "passes", "{name}: {change} {kind}");
            }
            let second = [
                ("content-type", "application/json"),
                ("content-type", FORMS[0]),
            ];
            let two = answer(change, &with(&second, &headers));
            assert_eq!(two, "page-unknown", "{name}: {change}");
        }
    }
}

#[test]
fn browsers_read_what_they_like() {
    for (name, headers) in requests("browsers") {
        let answer = answer("GET /details", &with(&[], &headers));
        assert_eq!(answer, "passes", "{name}");
    }
}
