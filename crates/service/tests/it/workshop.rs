//! The workshop's runtime files, with the keys that its programs know.

use protocol::Phase;

use crate::test_room::{TestRoom, agreement};

/// Keys and kinds of values are those of the workshop, and of smartnoise-synth. Networks are small,
/// or the test would take minutes.
const FILES: [(&str, &str); 5] = [
    (
        "MST",
        "method: MTS\nepsilon: 3\nparty_names:\n  - Alice\n  - Bob\n",
    ),
    (
        "MWEM",
        "method: MWEM\nepsilon: 3\nparty_names:\n  - Alice\n  - Bob\nparams:\n  iterations: 5\n  \
         mult_weights_iterations: 20\n  splits: []\n  split_factor: null\n  \
         custom_bin_count: {}\n  max_retries_exp_mechanism: 1000\n",
    ),
    (
        "DPCTGAN",
        "method: DPCTGAN\nepsilon: 3\nparty_names:\n  - Alice\n  - Bob\nparams:\n  epochs: 4\n  \
         batch_size: 50\n  embedding_dim: 8\n  generator_dim: [16]\n  discriminator_dim: [8]\n  \
         generator_lr: 2e-4\n  generator_decay: 1e-6\n  pac: 1\n  cuda: false\n  verbose: true\n",
    ),
    (
        "PATECTGAN",
        "method: PATECTGAN\nepsilon: 3\nparty_names:\n  - Alice\n  - Bob\nparams:\n  epochs: 2\n  \
         batch_size: 50\n  embedding_dim: 8\n  generator_dim: [16]\n  discriminator_dim: [8]\n  \
         teacher_iters: 5\n  student_iters: 5\n  sample_per_teacher: 1000\n  \
         loss: cross_entropy\n  regularization: null\n  binary: false\n",
    ),
    (
        "AIM",
        "method: AIM\nepsilon: 3\nparty_names:\n  - Alice\n  - Bob\nparams:\n  rounds: 20\n  \
         max_model_mb: 20\n",
    ),
];

fn table(column: &str, values: [&str; 2]) -> String {
    let rows: String = (0..2000)
        .map(|id| format!("{id},{}\n", values[id % 2]))
        .collect();
    format!("id,{column}\n{rows}")
}

#[tokio::test]
async fn each_of_the_workshops_files_trains_with_two_tables_of_ids() {
    for (method, file) in FILES {
        assert_eq!(
            agreement(&["Alice", "Bob"], file).method().name(),
            method,
            "{file}"
        );
        let room = TestRoom::open(file);
        let tables = [
            ("Alice", table("buying", ["low", "high"])),
            ("Bob", table("ill", ["yes", "no"])),
        ];
        let tables = tables.each_ref().map(|(user, csv)| (*user, csv.as_str()));
        assert_eq!(room.train(&tables).await, Phase::Trained, "{method}");
        let rows = room.get("Alice", "/samples?num_samples=20").await.ok();
        assert_eq!(rows.lines().count(), 21, "{method}: {rows}");
    }
}

#[test]
fn who_writes_mts_is_told_that_it_is_read_as_mst() {
    let [(_, misspelt), ..] = FILES;
    let told = |runtime: &str| agreement(&["Alice", "Bob"], runtime).warnings().to_vec();
    let note = "runtime.yaml: MTS is read as MST".to_owned();
    assert!(told(misspelt).contains(&note));
    assert!(!told(&misspelt.replace("MTS", "MST")).contains(&note));
}

#[test]
fn patectgan_for_few_people_is_warned_of_by_the_number_that_is_stated() {
    let file = FILES[3].1;
    let told = |people: u64| {
        let runtime = format!("{file}people: {people}\n");
        let agreement = agreement(&["Alice", "Bob"], &runtime);
        agreement
            .warnings()
            .iter()
            .any(|warning| warning.contains("PATECTGAN comes out hardly better"))
    };
    assert!(told(99_999) && !told(100_000));
}
