//! Whole pages of fitted models.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::ops::ControlFlow;

use privacy::{Delta, Epsilon};
use report::{model_json, model_page};
use schema::{Declaration, Schema};
use serde_json::Map;
use synthesis::{FitPlan, KnownColumns, MethodOptions, Model};
use tabular::Joined;

fn fit(method: &str, yaml: Option<&str>, csv: &str, epsilon: f64) -> Model {
    let schema = yaml.map(|yaml| Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap());
    let table = Joined::from_csv(csv.as_bytes(), schema.as_ref()).unwrap();
    let options = MethodOptions::read(method.parse().unwrap(), &Map::new()).unwrap();
    let plan = FitPlan::new(
        options,
        Epsilon::new(epsilon).unwrap(),
        Delta::new(1e-6).unwrap(),
    );
    let mut go_on = |_| ControlFlow::Continue(());
    let noise = &mut testkit::noise(1);
    match schema {
        Some(schema) => plan.check(schema).unwrap().fit(table, noise, &mut go_on),
        None => plan
            .check(KnownColumns::dangerous_from_data())
            .unwrap()
            .open_coded(table.dangerous_into_coded())
            .fit(noise, &mut go_on),
    }
    .unwrap()
}

fn page(model: &Model) -> String {
    model_page(model, &model.report())
}

/// Tags that are opened in each other's order are closed in it.
fn check_nesting(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap();
        let name = tag
            .split([' ', '\n', '/'])
            .find(|it| !it.is_empty())
            .unwrap();
        match () {
            () if tag.starts_with('!') || name == "meta" || tag.ends_with('/') => {}
            () if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            () => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

const CSV_ROWS: usize = 3000;

fn csv(header: &str, row: impl Fn(usize) -> String) -> String {
    let rows: String = (0..CSV_ROWS).map(|i| row(i) + "\n").collect();
    format!("{header}\n{rows}")
}

const MIXED: &str = "\
age: {integer: {min: 0, max: 99, bins: 50}, nullable: true}
town: {categories: [Graz, Wien], other: true}
region: {categories: [east, south]}
constraints:
- determines: {from: town, to: region, map: {Graz: south, Wien: east, other: east}}
- impossible: {town: [Graz], age: [null]}
";

fn mixed() -> String {
    csv("age,town,region", |i| match i % 4 {
        0 => format!("{},Graz,south", i % 90),
        1 => ",Wien,east".to_owned(),
        2 => format!("{},Wien,east", i % 50),
        _ => format!("{},Linz,east", i % 70),
    })
}

#[test]
fn a_page_says_in_order_what_a_person_asks_first() {
    for method in ["GRAIN", "MST", "INDEPENDENT"] {
        let model = fit(method, Some(MIXED), &mixed(), 2.0);
        let page = page(&model);
        check_nesting(&page);
        let headings = [
            "What came out",
            "What not to rely on",
            "What each column was taken for",
            "How the values are distributed",
            "How far relations are off",
            "Constraints kept",
            "Where the budget went",
            "What is guaranteed",
        ];
        let places = headings.map(|heading| page.find(&format!("<h2>{heading}</h2>")));
        assert!(
            places.is_sorted() && places[0].is_some(),
            "{method}: {places:?}"
        );
        assert!(
            page.contains("25 bins") || page.contains("50 bins"),
            "{method}"
        );
        assert!(
            page.contains("declare its values or its range in a schema"),
            "{method}"
        );
        assert!(page.contains("<bdi>town</bdi> determines <bdi>region</bdi> (3 values)"));
        assert!(
            page.contains("by at most a factor of 7.39 (e^2)"),
            "{method}"
        );
        assert!(!page.contains("No guarantee holds"), "{method}");
        // One drawing for each column, and a map of the pairs that were judged.
        let judged = model.report().errors.is_some() || !model.report().two_way.is_empty();
        assert_eq!(page.matches("aria-labelledby=\"t").count(), 3, "{method}");
        assert_eq!(page.contains("id=\"map-title\""), judged, "{method}");
    }
}

#[test]
fn a_domain_from_the_data_is_said_before_anything_else() {
    let model = fit("INDEPENDENT", None, &mixed(), 2.0);
    let page = page(&model);
    let danger = page.find("No guarantee holds").unwrap();
    assert!(danger < page.find("<main>").unwrap());
    assert!(!page.contains("factor of"), "nothing is guaranteed");
}

#[test]
fn a_budget_that_drowned_comes_first_among_what_not_to_rely_on() {
    let model = fit("GRAIN", Some(MIXED), &mixed(), 0.001);
    let page = page(&model);
    let warned = page
        .find("the budget is too small to tell how many rows")
        .unwrap();
    let relation = page.find("nothing is known of it at this budget").unwrap();
    assert!(warned < relation, "{page}");
}

/// Names of all kinds of trouble: markup, quotes, right to left, combining marks, and length.
#[test]
fn no_name_or_category_of_a_table_gets_out_of_its_place() {
    let names = [
        "<script>alert(1)</script>".to_owned(),
        "a\" onload=\"x".to_owned(),
        "\u{5d0}\u{5d1}\u{5d2}".to_owned(),
        format!("e{}", "\u{301}".repeat(40)),
        "\u{fdfd}".repeat(20),
        "x".repeat(120),
        "</style></svg></title><b>".to_owned(),
    ];
    let yaml: String = names
        .iter()
        .map(|name| {
            let name = serde_json::to_string(name).unwrap();
            format!("{name}: {{categories: [{name}, b]}}\n")
        })
        .collect();
    let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
    let header: Vec<String> = names.iter().map(quoted).collect();
    let row = |i: usize| {
        let fields = header.iter().enumerate();
        let fields = fields.map(|(at, name)| {
            if (i >> at).is_multiple_of(2) {
                name.as_str()
            } else {
                "b"
            }
        });
        fields.collect::<Vec<&str>>().join(",")
    };
    let table = csv(&header.join(","), row);
    let page = page(&fit("GRAIN", Some(&yaml), &table, 2.0));
    check_nesting(&page);
    for never in ["<script", "onload=\"", "</style></svg>", "<b>"] {
        assert!(!page.contains(never), "{never}");
    }
    // The one style and the title of the page itself.
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn of_very_many_columns_the_page_says_what_it_leaves_out() {
    let names: Vec<String> = (0..210).map(|i| format!("c{i}")).collect();
    let yaml: String = names
        .iter()
        .map(|name| format!("{name}: {{boolean: true}}\n"))
        .collect();
    let row = |i: usize| {
        let fields = (0..210).map(|at| ["yes", "no"][(i * 7 + at) % 2]);
        fields.collect::<Vec<&str>>().join(",")
    };
    let table = csv(&names.join(","), row);
    let page = page(&fit("MST", Some(&yaml), &table, 5.0));
    check_nesting(&page);
    assert_eq!(page.matches("<article>").count(), 200);
    assert!(page.contains("Left out: 10 of 210 columns."));
    assert!(page.contains("There is no map of more than 100 columns"));
    assert!(page.len() < 2 << 20, "{} bytes", page.len());
}

#[test]
fn a_programs_form_of_a_page_has_the_same_distributions_budget_and_guarantees() {
    let model = fit("GRAIN", Some(MIXED), &mixed(), 2.0);
    let report = model.report();
    let json = model_json(&model, &report);
    assert_eq!(json["rows"], report.rows);
    let columns = json["distributions"].as_array().unwrap();
    assert_eq!(columns.len(), 3);
    assert_eq!(columns[1]["column"], "town");
    let towns = columns[1]["values"].as_array().unwrap();
    let labels: Vec<_> = towns
        .iter()
        .map(|it| it["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["Graz", "Wien", "other"]);
    let sum: f64 = towns
        .iter()
        .map(|it| it["synthetic"].as_f64().unwrap())
        .sum();
    // The fields that were not understood have a code of their own, which is not drawn.
    assert!((sum - 1.0).abs() < 0.01, "{sum}");
    assert!(towns[0]["error"].as_f64().unwrap() > 0.0);
    assert_eq!(json["constraints"].as_array().unwrap().len(), 2);
    let groups = json["spent"]["groups"].as_array().unwrap();
    let spent: f64 = groups.iter().map(|it| it["share"].as_f64().unwrap()).sum();
    assert!((spent - 1.0).abs() < 1e-6, "{spent}");
    assert!(
        json["guarantees"][0]["odds"]
            .as_str()
            .unwrap()
            .contains("odds")
    );
    assert!(json["danger"].is_null());
}
