//! Models as they are stored.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use ciborium::Value;
use marginals::{Clique, Domain, Factor, MarkovRandomField};

fn model() -> MarkovRandomField {
    let domain = Domain::new(vec![2, 3, 2, 4]).unwrap();
    let logs = vec![0.1, f64::NEG_INFINITY, -3.0, 0.2, 1.0 / 3.0, 700.0];
    let pair = Factor::new(&domain, Clique::new([0, 1]), logs).unwrap();
    let other = Factor::new(&domain, Clique::new([1, 2]), vec![0.5; 6]).unwrap();
    MarkovRandomField::new(domain, vec![pair, other], 123.456).unwrap()
}

fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<MarkovRandomField, String> {
    ciborium::from_reader(bytes).map_err(|error| error.to_string())
}

#[test]
fn a_stored_model_comes_back_to_the_last_bit() {
    let model = model();
    let back = read(&bytes(&model)).unwrap();
    assert_eq!(bytes(&back), bytes(&model));
    for clique in [vec![], vec![0], vec![0, 2], vec![0, 1], vec![0, 1, 2, 3]] {
        let clique = Clique::new(clique);
        assert_eq!(
            back.marginal(&clique).unwrap(),
            model.marginal(&clique).unwrap()
        );
    }
}

#[test]
fn what_is_not_a_model_is_refused() {
    let changed = |change: fn(&mut Vec<(Value, Value)>)| {
        let mut value: Value = ciborium::from_reader(bytes(&model()).as_slice()).unwrap();
        change(value.as_map_mut().unwrap());
        read(&bytes(&value)).unwrap_err()
    };
    let never = changed(|fields| fields[1].1 = Value::from(0.0));
    assert!(
        never.contains("the total must be positive and finite"),
        "{never}"
    );
    let sizes = changed(|fields| fields[0].1 = Value::Array(vec![Value::from(2), Value::from(0)]));
    assert!(sizes.contains("attribute 1 has 0 codes"), "{sizes}");
    let foreign =
        changed(|fields| fields[0].1 = Value::Array(vec![Value::from(2), Value::from(3)]));
    assert!(
        foreign.contains("outside the domain of 2 attributes"),
        "{foreign}"
    );
    let extra = changed(|fields| fields.push((Value::from("more"), Value::from(1))));
    assert!(extra.contains("unknown field `more`"), "{extra}");
}
