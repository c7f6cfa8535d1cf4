//! `service.yaml`, good and bad, and the decisions that follow from it.

use access::{Audience, Denied, Endpoint, PolicyError, PublicKey, ServicePolicy};
use base64::Engine as _;
use expect_test::{Expect, expect};

/// The public keys that the workshop's text prints.
const ALICE: &str = "MIIBCgKCAQEAsNooqfUM3YYBVwfoXp8zTyqdc7EAshRLQQPXeBVSie2L5BAuqnnZS9GiQmg8CiJnz5e+LVLNl9Xm+n9HO/bvWcBbMIh+LucqTgjDjenTH55pAuWMEfCcGMlZg5Kwsrwm4BMrB0oJbNGecRfLRwciIh8M8BtaUZYlrq5xFmSY0Ew1M0hPQZJx0AOwXVQMhZ5iU12JItxcK+MbWiikcpC3R3QBwdWfXkbchd33savOgHyVMcV4PNjkxLjH7d7ui5zjadWMSRvyq+EvY34ycBju+N1DGRqpiuVqU7uUiDPKRIOdC80BpgeE2tPULRlHCJIiVAakQneM2PIBAp4hR4DLrQIDAQAB";
const BOB: &str = "MIIBCgKCAQEAwJ5+Lx51TgvQ+1vUyYpTQoSJKRyTiDN45DAeJWPk4QiCXnKmScQiOrArw2QQ2pvUyYA2NU7vScikXaZXyCjGW/HHvERWkjaPFJcWNapOjEoZsSCEJhEDle7VEYHJ3JFcH4C+HHNZ+5Z9If6yCraELN8QRjXwAe+vzHex9zsw5dhX+7CcvP59B1BpBzWFtPgJHu4gAi9SnIW1/Zi8WtdBYheZr5Vya6Sg4TptrPD5iFhfbGwCiMXcfPPY5lpi/WPynqge27GoGVcd7PTCJaYEYsHkGd+wBOiLCX6hr+Fr3nXEu6qmmMOoqAIZR45DihIhf5iVgaSBXqT/IfK21tqGjwIDAQAB";
/// An Ed25519 key (that of RFC 8032, test 1), as SPKI.
const CAROL: &str = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn key(text: &str) -> PublicKey {
    PublicKey::parse(text).expect("a key to register")
}

/// The file of the design, with an analyst besides the two parties.
fn good() -> String {
    format!(
        "\
auth:
- auth_name: default
  auth_type: signed_headers
paths:
- path: /upload_data
  access: data_provider
  short_description: upload a table
- path: /samples
  access: [data_provider, analyst]
- path: /receipt
  access: data_provider
roles:
- role_name: data_provider
  role_cardinality: 2
  role_auth: default
  role_description: uploads and downloads
- role_name: analyst
  role_cardinality: 1
traffic:
  inbound: [{{name: main_io, port: 443, type: tcp}}]
  outbound: []
users:
  data_provider:
  - user_name: Alice
    public_key: {ALICE}
  - user_name: Bob
    public_key: {BOB}
  analyst:
  - user_name: Carol
    public_key: {CAROL}
"
    )
}

fn policy(text: &str) -> ServicePolicy {
    ServicePolicy::from_yaml(text.as_bytes()).expect("a file that holds")
}

/// The sentence for the good file after one replacement, which must change something.
fn refusal(from: &str, to: &str) -> PolicyError {
    let text = good().replacen(from, to, 1);
    assert_ne!(text, good(), "`{from}` is not in the file");
    ServicePolicy::from_yaml(text.as_bytes()).expect_err("must be refused")
}

fn check(from: &str, to: &str, expected: Expect) {
    expected.assert_eq(&refusal(from, to).to_string());
}

#[test]
fn the_users_and_providers_are_those_of_the_file_in_its_order() {
    let policy = policy(&good());
    let names: Vec<_> = policy
        .users()
        .iter()
        .map(|user| (user.name(), user.role()))
        .collect();
    assert_eq!(
        names,
        [
            ("Alice", "data_provider"),
            ("Bob", "data_provider"),
            ("Carol", "analyst")
        ]
    );
    let providers: Vec<_> = policy.data_providers().map(access::User::name).collect();
    assert_eq!(providers, ["Alice", "Bob"]);
    assert_eq!(policy.user_of(key(BOB).spki()).unwrap().name(), "Bob");
    assert!(policy.warnings().is_empty());
}

#[test]
fn listed_paths_follow_their_roles_and_others_their_audience() {
    let policy = policy(&good());
    for endpoint in Endpoint::ALL {
        for method in endpoint.methods() {
            let decide = |who: &str| policy.authorize(key(who).spki(), method, endpoint.path());
            let provider = decide(ALICE).unwrap();
            assert_eq!(
                (provider.user(), provider.role()),
                ("Alice", "data_provider")
            );
            assert_eq!(provider.endpoint(), endpoint);
            let analyst_may = match endpoint {
                Endpoint::Samples => true,
                Endpoint::Receipt => false,
                other => other.audience() == Audience::Registered,
            };
            assert_eq!(decide(CAROL).is_ok(), analyst_may, "{endpoint:?}");
        }
    }
}

#[test]
fn requests_are_refused_for_the_key_then_the_path_then_the_method_then_the_role() {
    let policy = policy(&good());
    let stranger = aws_lc_rs::signature::KeyPair::public_key(
        &aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap(),
    )
    .as_ref()
    .to_vec();
    let decide =
        |spki: &[u8], method: &str, path: &str| policy.authorize(spki, method, path).unwrap_err();
    assert_eq!(decide(&stranger, "POST", "/nothing"), Denied::NotRegistered);
    assert_eq!(decide(b"", "GET", "/status"), Denied::NotRegistered);
    let carol = key(CAROL);
    assert_eq!(decide(carol.spki(), "PUT", "/nothing"), Denied::UnknownPath);
    for path in [
        "/status/",
        "//status",
        "/Status",
        "/status?x",
        "/%73tatus",
        "",
    ] {
        assert_eq!(
            decide(carol.spki(), "GET", path),
            Denied::UnknownPath,
            "{path}"
        );
    }
    for method in ["GET", "HEAD", "OPTIONS", "post", ""] {
        assert_eq!(
            decide(carol.spki(), method, "/upload_data"),
            Denied::Method { allowed: &["POST"] }
        );
    }
    let role = decide(carol.spki(), "POST", "/upload_data");
    assert_eq!(
        role,
        Denied::Role {
            path: "/upload_data",
            role: "analyst".into()
        }
    );
}

#[test]
fn the_workshops_own_file_loads_with_its_role_and_its_spelling_of_keys() {
    let paths = [
        "upload_data",
        "confirm_data",
        "formats",
        "samples",
        "columns",
        "details",
        "model_status",
    ]
    .map(|path| {
        format!(
            "- path: \"/{path}\"\n  access: multirole\n  short_description: as in the workshop\n"
        )
    })
    .concat();
    let text = format!(
        "\
auth:
- auth_name: default
  auth_type: signed_headers
roles:
- role_auth: default
  role_name: multirole
  role_description: can access all endpoints
  role_cardinality: 2
paths:
{paths}traffic:
  '0':
    name: inbound
    port: 80
  inbound:
  - type: tcp
    port: 80
    name: main_io
  outbound: []
meta:
  author: Somebody
  author_email: somebody@example.org
  git: https://example.org/a.git
  version: 0.0.1
  docs: https://example.org
base_image: ubuntu
build_args:
- name: example_arg
  required_arg: false
  type: number
users:
  multirole:
  - user_name: Alice
    \"public key\": {ALICE}
  - user_name: Bob
    public key: {BOB}
"
    );
    let policy = policy(&text);
    assert_eq!(policy.data_providers().count(), 2);
    for endpoint in Endpoint::ALL {
        let method = endpoint.methods()[0];
        assert!(
            policy
                .authorize(key(ALICE).spki(), method, endpoint.path())
                .is_ok(),
            "{endpoint:?}"
        );
    }
    expect![[r#"
        `base_image` has no effect: the measurements name the program that runs
        `build_args` has no effect: the measurements name the program that runs
        `0` in `traffic` has no effect: the measurements name the program that runs"#]]
    .assert_eq(&policy.warnings().join("\n"));
}

#[test]
fn typos_are_refused_with_their_line_and_the_nearest_name() {
    check(
        "roles:",
        "rolls:",
        expect!["line 12: unknown key `rolls`; did you mean `roles`?"],
    );
    check(
        "role_cardinality",
        "role_cardinalty",
        expect!["line 14: unknown key `role_cardinalty`; did you mean `role_cardinality`?"],
    );
    check(
        "user_name: Bob",
        "name: Bob",
        expect![
            "line 26: unknown key `name`; known here are `user_name`, `public key` and `public_key`"
        ],
    );
    check(
        "public_key",
        "publickey",
        expect!["line 25: unknown key `publickey`; did you mean `public key`?"],
    );
    check(
        "path: /samples",
        "path: /smaples",
        expect![
            "line 8: the path `/smaples` is not one that a room serves; did you mean `/samples`?"
        ],
    );
    check(
        "path: /samples",
        "path: /hello/",
        expect!["line 8: the path `/hello/` is not one that a room serves"],
    );
    check(
        "access: data_provider",
        "access: data_provder",
        expect![
            "line 5: the role `data_provder` is not defined in `roles`; did you mean \
             `data_provider`?"
        ],
    );
    check(
        "[data_provider, analyst]",
        "[data_provider, analist]",
        expect!["line 8: the role `analist` is not defined in `roles`; did you mean `analyst`?"],
    );
    check(
        "role_auth: default",
        "role_auth: defalt",
        expect!["line 15: the role_auth `defalt` is not defined; did you mean `default`?"],
    );
    check(
        "  analyst:\n",
        "  analysts:\n",
        expect!["line 28: the role `analysts` is not defined; did you mean `analyst`?"],
    );
    check(
        "signed_headers",
        "none",
        expect!["line 3: the auth_type `none` is unknown; the only one is `signed_headers`"],
    );
    check(
        "type: tcp",
        "type: udp",
        expect!["line 20: the traffic type `udp` is unknown; the only one is `tcp`"],
    );
}

#[test]
fn cardinality_must_be_met_exactly() {
    check(
        "role_cardinality: 2",
        "role_cardinality: 3",
        expect![
            "the role `data_provider` must have exactly 3 users (its role_cardinality), but 2 are \
             listed"
        ],
    );
    check(
        "role_cardinality: 1",
        "role_cardinality: 0",
        expect![
            "the role `analyst` must have exactly 0 users (its role_cardinality), but 1 are listed"
        ],
    );
    check(
        "role_cardinality: 2",
        "role_cardinality: 1",
        expect![
            "line 14: the role `data_provider` provides the data, so its role_cardinality must be \
             at least 2"
        ],
    );
    check(
        "role_cardinality: 2",
        "role_cardinality: -1",
        expect!["line 14: expected a whole number of a sensible size here"],
    );
    check(
        "- role_name: analyst",
        "- role_name: empty\n  role_cardinality: 1\n- role_name: analyst",
        expect![
            "the role `empty` must have exactly 1 users (its role_cardinality), but 0 are listed"
        ],
    );
}

#[test]
fn names_and_keys_are_each_users_own() {
    check(
        "user_name: Bob",
        "user_name: Alice",
        expect!["line 26: the user name `Alice` is given twice"],
    );
    check(
        "user_name: Carol",
        "user_name: ALICE",
        expect!["line 29: the user name `ALICE` is given twice"],
    );
    let folded = format!("|\n      {}\n      {}", &ALICE[..100], &ALICE[100..]);
    check(
        BOB,
        &folded,
        expect![
            "line 28: `Bob` has the same public key as `Alice`; each user needs a key of their own"
        ],
    );
    check(
        "user_name: Bob",
        "user_name: mine",
        expect![
            "line 26: the user name `mine` must be 1 to 64 letters, digits, `_`, `-` or `.` \
             (ASCII), begin with a letter or digit, and be neither `mine` nor `theirs`"
        ],
    );
    check(
        "user_name: Bob",
        "user_name: \"Bob,x\"",
        expect![
            "line 26: the user name `Bob,x` must be 1 to 64 letters, digits, `_`, `-` or `.` \
             (ASCII), begin with a letter or digit, and be neither `mine` nor `theirs`"
        ],
    );
    check(
        "user_name: Bob",
        "user_name: \"\"",
        expect![
            "line 26: the user name `` must be 1 to 64 letters, digits, `_`, `-` or `.` (ASCII), \
             begin with a letter or digit, and be neither `mine` nor `theirs`"
        ],
    );
    check(
        "user_name: Bob",
        "user_name: _Bob",
        expect![
            "line 26: the user name `_Bob` must be 1 to 64 letters, digits, `_`, `-` or `.` \
             (ASCII), begin with a letter or digit, and be neither `mine` nor `theirs`"
        ],
    );
}

#[test]
fn keys_that_are_weak_or_unreadable_are_refused_with_their_owner() {
    check(
        CAROL,
        "hello",
        expect![
            "line 30: the public key of `Carol`: the key is not valid base64 (copy the whole text \
             that `synclave keygen` printed)"
        ],
    );
    check(
        CAROL,
        &CAROL[..20],
        expect![
            "line 30: the public key of `Carol`: the key is neither a PKCS#1 nor an SPKI public \
             key, or has bytes after its end"
        ],
    );
    let mut weak = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
    weak.extend([0xff; 128]);
    weak.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
    let weak = base64::engine::general_purpose::STANDARD.encode(weak);
    check(
        CAROL,
        &weak,
        expect![
            "line 30: the public key of `Carol`: the RSA key has 1024 bits; it must have 2048 to \
             8192"
        ],
    );
    check(
        CAROL,
        "-----BEGIN PRIVATE KEY-----",
        expect![
            "line 30: the public key of `Carol`: this is a private key; an agreement is read by \
             everyone, so give the public key (NAME_public.der)"
        ],
    );
    check(
        CAROL,
        "",
        expect!["line 30: a text is missing after the colon"],
    );
}

#[test]
fn each_path_and_role_is_given_once_and_to_somebody() {
    check(
        "path: /receipt",
        "path: /samples",
        expect!["line 10: the path `/samples` is given twice"],
    );
    check(
        "role_name: analyst",
        "role_name: data_provider",
        expect!["line 17: the role `data_provider` is given twice"],
    );
    check(
        "access: [data_provider, analyst]",
        "access: []",
        expect!["line 8: `access` of /samples names no role"],
    );
    check(
        "access: data_provider",
        "access: analyst",
        expect![
            "line 5: /upload_data must be given to one role, and to `data_provider` if there is \
             such a role"
        ],
    );
    check(
        "access: data_provider",
        "access: [data_provider, analyst]",
        expect![
            "line 5: /upload_data must be given to one role, and to `data_provider` if there is \
             such a role"
        ],
    );
    check(
        "path: /receipt\n  access: data_provider",
        "path: /confirm_data\n  access: analyst",
        expect![
            "line 10: /confirm_data must have the same access as /upload_data, the role \
             `data_provider`"
        ],
    );
    check(
        "path: /receipt\n  access: data_provider",
        "path: /withdraw_confirmation\n  access: [data_provider, analyst]",
        expect![
            "line 10: /withdraw_confirmation must have the same access as /upload_data, the role \
             `data_provider`"
        ],
    );
}

#[test]
fn what_has_no_place_in_a_room_is_refused() {
    check(
        "outbound: []",
        "outbound: [{name: web, domain: example.com, port: 443, type: tcp}]",
        expect![
            "line 21: `outbound` lists `web`, but a room makes no outbound connections; remove the \
             entry"
        ],
    );
    check(
        "auth:\n- auth_name: default\n  auth_type: signed_headers",
        "auth: []",
        expect![
            "`auth` is empty; it needs one entry with an `auth_name` and `auth_type: \
             signed_headers`"
        ],
    );
    let text = good();
    let without_users = &text[..text.find("users:").unwrap()];
    expect![
        "there are no `users`; list for each role the `user_name` and `public_key` of those \
             who take part"
    ]
    .assert_eq(
        &ServicePolicy::from_yaml(without_users.as_bytes())
            .unwrap_err()
            .to_string(),
    );
    let nobody = "auth: [{auth_name: a, auth_type: signed_headers}]\nroles: []\nusers: {}\n";
    expect![
        "no role provides data; name one `data_provider`, or list /upload_data with the role \
             that uploads"
    ]
    .assert_eq(
        &ServicePolicy::from_yaml(nobody.as_bytes())
            .unwrap_err()
            .to_string(),
    );
}

#[test]
fn a_role_of_any_name_provides_data_when_it_alone_may_upload() {
    let text = good().replace("data_provider", "hospital");
    let policy = policy(&text);
    assert_eq!(policy.data_providers().count(), 2);
    assert!(
        policy
            .authorize(key(ALICE).spki(), "GET", "/confirm_data")
            .is_ok()
    );
    assert!(
        policy
            .authorize(key(CAROL).spki(), "GET", "/confirm_data")
            .is_err()
    );
    // The file does not list this path.
    let withdraw = |user| policy.authorize(key(user).spki(), "POST", "/withdraw_confirmation");
    assert!(withdraw(ALICE).is_ok() && withdraw(CAROL).is_err());
}
