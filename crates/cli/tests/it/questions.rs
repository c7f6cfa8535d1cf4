//! Questions to a model, and the noisy counts that it was made from.

use std::fs;
use std::path::Path;

use crate::{Ran, synclave};

const SCHEMA: &str = "\
age: {integer: {min: 0, max: 99}}
town: {categories: [Graz, Wien], other: true}
born: {date: {min: 1920-01-01, max: 2020-12-31, bins: 101}, nullable: true}
";

/// 3,000 rows, a third of them in Graz, whose people are 20 to 29; the others are 50 to 79.
fn model(folder: &Path) {
    let row = |i: usize| match i % 3 {
        0 => format!("{},Graz,{}-05-06\n", 20 + i % 10, 1990 + i % 10),
        1 => format!("{},Wien,\n", 50 + i % 30),
        _ => format!("{},Linz,1950-01-01\n", 50 + i % 30),
    };
    let rows: String = (0..3000).map(row).collect();
    fs::write(folder.join("people.csv"), format!("age,town,born\n{rows}")).unwrap();
    fs::write(folder.join("people.yaml"), SCHEMA).unwrap();
    let synth = "synth people.csv --schema people.yaml --epsilon 3 --output o.csv --model m";
    synclave(folder, &synth.split(' ').collect::<Vec<_>>()).exits(0);
}

fn ask(folder: &Path, question: &str) -> Ran {
    synclave(folder, &["query", "m", question])
}

#[test]
fn means_and_quantiles_come_with_what_they_lie_between() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model(folder);
    let answers = synclave(folder, &["query", "m", "mean age by town", "--json"]);
    let answers = answers.exits(0).json()["answers"].take();
    for (at, town, truth) in [(0, "Graz", 24.5), (1, "Wien", 64.5), (2, "other", 64.5)] {
        let answer = &answers[at];
        assert_eq!(answer["values"]["town"], town);
        let between = &answer["mean"]["between"];
        let [low, high] = [0, 1].map(|end| between[end].as_f64().unwrap());
        assert!(low <= truth && truth <= high, "{answer}");
        let estimate = answer["mean"]["estimate"].as_f64().unwrap();
        assert!((estimate - truth).abs() < 5.0, "{answer}");
    }
    let median = ask(folder, "median born where town = Graz")
        .exits(0)
        .stdout();
    assert!(median.starts_with("199"), "a day: {median}");
    let nobody = ask(folder, "mean age where age < 5 and town = Graz").exits(0);
    assert!(nobody.stdout().contains(" to "));
    for (question, said) in [
        ("mean town", "is of kind `categories`"),
        ("sum born", "ask for the mean of `born`"),
        ("quantile 1.5 age", "a share from 0 to 1"),
        ("mode age", "a question is `count`"),
        ("mean agee", "did you mean `age`?"),
    ] {
        let told = ask(folder, question).exits(3).stderr();
        assert!(told.contains(said), "{question}: {told}");
    }
}

#[test]
fn noisy_counts_are_listed_with_the_size_of_their_noise() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model(folder);
    let list = synclave(folder, &["marginals", "m"]).exits(0).stdout();
    assert!(
        list.lines()
            .any(|line| line.starts_with("town: 3 counts, sigma ")),
        "{list}"
    );
    let towns = synclave(folder, &["marginals", "m", "town"])
        .exits(0)
        .stdout();
    assert!(
        towns.lines().any(|line| line.starts_with("Graz ")),
        "{towns}"
    );
    let document = synclave(folder, &["marginals", "m", "--json"])
        .exits(0)
        .json();
    let marginals = document["marginals"].as_array().unwrap();
    for marginal in marginals {
        let places = marginal["values"].as_array().unwrap().iter();
        let cells: usize = places
            .map(|places| places.as_array().unwrap().len())
            .product();
        let counts = marginal["counts"].as_array().unwrap();
        assert_eq!(cells, counts.len());
        // Each has all rows, up to its noise.
        let sum: f64 = counts.iter().map(|count| count.as_f64().unwrap()).sum();
        let sigma = marginal["sigma"].as_f64().unwrap();
        let noise = 6.0 * sigma * (cells as f64).sqrt();
        assert!((sum - 3000.0).abs() < noise, "{marginal}");
    }
    let pair = marginals
        .iter()
        .find(|it| it["columns"].as_array().unwrap().len() == 2);
    assert!(pair.is_some(), "{document}");
    let told = synclave(folder, &["marginals", "m", "age, town, born"])
        .exits(3)
        .stderr();
    assert!(told.contains("was not measured together"), "{told}");
}
