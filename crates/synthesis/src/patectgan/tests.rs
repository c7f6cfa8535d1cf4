use std::num::NonZeroU32;
use std::sync::Mutex;

use neural::{Adam, AdamOptions, Blocks, Critic, Loss};
use privacy::Division;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Declaration, Schema};
use tabular::{CodedTable, CountSource, PartVote, Recoding};

use super::teachers::Teachers;

const SIZES: [u32; 3] = [5, 4, 3];

fn rows(count: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    SIZES
        .map(|size| (0..count).map(|_| rng.next_u32() % size).collect())
        .into()
}

fn novice() -> Critic {
    let blocks = Blocks::new(&SIZES.map(|size| size as usize));
    Critic::new(&blocks, &[8, 6], &mut ChaCha8Rng::seed_from_u64(1)).indifferent()
}

/// What the teachers say, each for itself.
struct Heard<'a> {
    teachers: Teachers<'a>,
    answers: Mutex<Vec<Vec<bool>>>,
}

impl PartVote for Heard<'_> {
    fn questions(&self) -> usize {
        self.teachers.questions()
    }

    fn vote(&self, part: u32, columns: &[&[u32]], answers: &mut [bool]) {
        self.teachers.vote(part, columns, answers);
        self.answers.lock().unwrap()[part as usize] = answers.to_vec();
    }
}

fn answers(table: &CodedTable, division: &Division, loss: Loss) -> Vec<Vec<bool>> {
    let novice = novice();
    let adam = Adam::new(
        novice.parameters().len(),
        AdamOptions {
            rate: 0.05,
            decay: 0.0,
        },
    );
    let (generated, questions) = (rows(100, 2), rows(60, 3));
    let heard = Heard {
        teachers: Teachers {
            novice: &novice,
            adam: &adam,
            loss,
            iterations: 6,
            generated: &generated,
            sample: 12,
            questions: &questions,
        },
        answers: Mutex::new(vec![Vec::new(); division.parts().get() as usize]),
    };
    let maps = SIZES.map(|size| (0..size).collect()).to_vec();
    let sizes = SIZES.map(|size| size as usize).to_vec();
    let recoding = Recoding::new(table.schema(), maps, sizes);
    drop(table.votes(&recoding, division, &heard).unwrap());
    heard.answers.into_inner().unwrap()
}

fn table(columns: &[Vec<u32>]) -> CodedTable {
    let yaml = "a: {integer: {min: 0, max: 4}}\nb: {integer: {min: 0, max: 3}}\nc: {integer: {min: \
                0, max: 2}}\n";
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    CodedTable::from_codes(schema, columns).unwrap()
}

#[test]
fn a_row_more_changes_the_answers_of_its_own_teacher_alone() {
    let division = Division::draw(NonZeroU32::new(9).unwrap(), &mut testkit::noise(5));
    for loss in [Loss::CrossEntropy, Loss::Wasserstein] {
        let mut changed = 0;
        for seed in 0..20 {
            // The last row: all others draw what they draw without it.
            let with = rows(90, seed);
            let without: Vec<Vec<u32>> = with.iter().map(|codes| codes[..89].to_vec()).collect();
            let part = division.of_rows().nth(89).unwrap() as usize;
            let [with, without] = [&with, &without].map(|it| answers(&table(it), &division, loss));
            for (teacher, answers) in with.iter().enumerate() {
                match answers == &without[teacher] {
                    true => {}
                    false if teacher == part => changed += 1,
                    false => panic!("teacher {teacher} knows of a row of teacher {part}"),
                }
            }
        }
        assert!(changed > 5, "teachers learn from their rows: {changed}");
    }
}

#[test]
fn teachers_do_not_know_the_order_of_their_rows() {
    let division = Division::draw(NonZeroU32::MIN, &mut testkit::noise(6));
    let forth = rows(400, 7);
    let back: Vec<Vec<u32>> = forth
        .iter()
        .map(|codes| codes.iter().rev().copied().collect())
        .collect();
    let [forth, back] = [forth, back].map(|it| answers(&table(&it), &division, Loss::CrossEntropy));
    assert_eq!(forth, back);
    let yes = forth[0].iter().filter(|&&answer| answer).count();
    assert!((1..60).contains(&yes), "they tell rows apart: {yes}");
}
