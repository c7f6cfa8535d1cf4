//! The description of the interface, against what is really served.

use std::collections::BTreeSet;

use access::Endpoint;
use protocol::{Code, Phase};
use serde_json::Value;

use crate::test_room::{DECLARED, TestRoom, alice, bob};

fn openapi() -> Value {
    serde_json::from_str(service::OPENAPI).expect("the file is JSON")
}

#[test]
fn the_description_has_exactly_the_paths_and_methods_that_are_served() {
    let described: BTreeSet<(String, String)> = openapi()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(|method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    let served = Endpoint::ALL.iter().flat_map(|endpoint| {
        endpoint
            .methods()
            .iter()
            .map(|method| (endpoint.path().to_owned(), (*method).to_owned()))
    });
    assert_eq!(described, served.collect());
}

#[test]
fn the_description_lists_every_code() {
    let described =
        openapi()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].clone();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.slug()).collect();
    assert_eq!(described, serde_json::json!(codes));
}

/// The parameters that a handler knows, as its refusal of an unknown one lists them.
async fn known_parameters(room: &TestRoom, method: &str, path: &str) -> BTreeSet<String> {
    let answer = room
        .ask("Alice", method, &format!("{path}?strange_one="))
        .await;
    let refusal: Value = serde_json::from_str(&answer.body).expect("a problem is JSON");
    assert_eq!(refusal["code"], Code::UnknownParameter.slug(), "{path}");
    let detail = refusal["detail"].as_str().expect("a problem has a detail");
    let Some(list) = detail.strip_prefix("There is an unknown parameter; known here are ") else {
        assert_eq!(detail, "This path takes no parameters.", "{path}");
        return BTreeSet::new();
    };
    let names = list.trim_end_matches('.').split(", ");
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn described_parameters_are_known_and_no_others() {
    let room = TestRoom::open(DECLARED);
    for (path, methods) in openapi()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let described = operation["parameters"].as_array().into_iter().flatten();
            let described = described.map(|it| it["name"].as_str().unwrap().to_owned());
            let known = known_parameters(&room, &method.to_uppercase(), path).await;
            assert_eq!(described.collect::<BTreeSet<_>>(), known, "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let answer = room
                    .ask("Alice", &method.to_uppercase(), &format!("{path}?{name}="))
                    .await;
                assert!(
                    !answer.body.contains(Code::UnknownParameter.slug()),
                    "{path} {name}: {}",
                    answer.body
                );
            }
        }
    }
}

/// Whether the value has the type and the required and known properties that the schema says.
fn conforms(value: &Value, schema: &Value, all: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a split has a last part");
        return conforms(value, &all[name], all);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices
            .iter()
            .any(|choice| conforms(value, choice, all).is_ok());
        return if fits {
            Ok(())
        } else {
            Err(format!("{value} fits none of {choices:?}"))
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Err(format!("no type in {schema}")),
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.contains(&found) || (found == "integer" && types.contains(&"number"));
    if !fits {
        return Err(format!("{value} is not one of {types:?}"));
    }
    if let Some(items) = value.as_array() {
        return items
            .iter()
            .try_for_each(|item| conforms(item, &schema["items"], all));
    }
    let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    else {
        return Ok(());
    };
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        object
            .get(name)
            .ok_or_else(|| format!("{name} is missing in {value}"))?;
    }
    for (name, value) in object {
        let schema = properties
            .get(name)
            .ok_or_else(|| format!("{name} is not described"))?;
        conforms(value, schema, all)?;
    }
    Ok(())
}

#[tokio::test]
async fn replies_have_the_described_form() {
    let room = TestRoom::open(DECLARED);
    let document = openapi();
    let schemas = &document["components"]["schemas"];
    let upload = room.upload("Alice", &alice()).await.value();
    conforms(&upload, &schemas["UploadReply"], schemas).unwrap();
    room.confirm("Alice").await.ok();
    assert_eq!(room.train(&[("Bob", &bob())]).await, Phase::Trained);
    for endpoint in Endpoint::ALL {
        // Their replies are not documents of JSON: rows, a file, and a stream.
        let not_json = [Endpoint::Samples, Endpoint::Model, Endpoint::Events];
        if !endpoint.methods().contains(&"GET") || not_json.contains(&endpoint) {
            continue;
        }
        let path = endpoint.path();
        let reply = room.get("Alice", path).await.value();
        let operation = &document["paths"][path]["get"];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        conforms(&reply, schema, schemas).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let problem: Value = serde_json::from_str(&room.get("Alice", "/nothing").await.body).unwrap();
    conforms(&problem, &schemas["Problem"], schemas).unwrap();
}

#[tokio::test]
async fn the_description_and_the_agreement_are_served_as_they_are() {
    let room = TestRoom::open(DECLARED);
    assert_eq!(
        room.get("Zoe", "/openapi.json").await.ok(),
        service::OPENAPI
    );
    let reply: protocol::AgreementReply = room.get("Zoe", "/agreement").await.json();
    assert_eq!(&reply.agreement, room.room.agreement().agreement());
    assert_eq!(reply.agreement_sha384, reply.agreement.sha384());
    assert_eq!(
        room.get("Zoe", "/healthz").await.value(),
        serde_json::json!({"status": "ok"})
    );
    assert_eq!(
        room.get("Zoe", "/details").await.value()["party_names"],
        serde_json::json!(["Alice", "Bob"])
    );
}
