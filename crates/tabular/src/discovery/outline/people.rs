//! How many people have a value, where a person may have many rows.

use zeroize::Zeroizing;

/// The rows of a column, and whose they are.
pub(super) struct People<'a> {
    /// The text of each row.
    codes: Zeroizing<Vec<u32>>,
    /// The first row of the person of each row; none if each row is a person.
    firsts: Option<&'a [u32]>,
}

/// Texts in cells; one in none is not counted.
pub(super) struct Cells {
    /// One more than there are cells stands for none.
    of_texts: Zeroizing<Vec<u32>>,
    cells: usize,
}

impl Cells {
    pub(super) fn new(of_texts: impl Iterator<Item = Option<usize>>, cells: usize) -> Self {
        let code = |cell: usize| u32::try_from(cell).expect("cells are no more than texts or few");
        let of_texts = of_texts.map(|cell| code(cell.unwrap_or(cells)));
        Self {
            of_texts: Zeroizing::new(of_texts.collect()),
            cells,
        }
    }

    /// The cell of each text.
    pub(super) fn of_texts(&self) -> impl Iterator<Item = Option<u32>> {
        let cells = self.cells;
        let of_texts = self.of_texts.iter().copied();
        of_texts.map(move |cell| (cell as usize != cells).then_some(cell))
    }
}

impl<'a> People<'a> {
    pub(super) fn new(codes: Vec<u32>, firsts: Option<&'a [u32]>) -> Self {
        let codes = Zeroizing::new(codes);
        Self { codes, firsts }
    }

    pub(super) fn rows(&self) -> usize {
        self.codes.len()
    }

    /// How many people have each of so many texts.
    pub(super) fn sharing(&self, texts: usize) -> Vec<u32> {
        self.in_cells(&Cells::new((0..texts).map(Some), texts))
    }

    /// How many people have a row in each cell.
    pub(super) fn in_cells(&self, cells: &Cells) -> Vec<u32> {
        let mut counts = vec![0; cells.cells];
        let cell_of = |code: &u32| cells.of_texts[*code as usize];
        let Some(firsts) = self.firsts else {
            for code in self.codes.iter() {
                if let Some(count) = counts.get_mut(cell_of(code) as usize) {
                    *count += 1;
                }
            }
            return counts;
        };
        // A person counts once in a cell, however many of their rows are in it.
        let rows = self.codes.iter().zip(firsts);
        let pairs = rows.map(|(code, first)| u64::from(cell_of(code)) << 32 | u64::from(*first));
        let mut pairs = Zeroizing::new(pairs.collect::<Vec<u64>>());
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs.iter() {
            if let Some(count) = usize::try_from(pair >> 32)
                .ok()
                .and_then(|it| counts.get_mut(it))
            {
                *count += 1;
            }
        }
        counts
    }

    /// How many rows are in each cell.
    pub(super) fn rows_in_cells(&self, cells: &Cells) -> Vec<u64> {
        let mut counts = vec![0; cells.cells];
        for code in self.codes.iter() {
            let cell = cells.of_texts[*code as usize] as usize;
            if let Some(count) = counts.get_mut(cell) {
                *count += 1;
            }
        }
        counts
    }

    /// How many rows have each of so many texts.
    pub(super) fn rows_of_texts(&self, texts: usize) -> Vec<u64> {
        self.rows_in_cells(&Cells::new((0..texts).map(Some), texts))
    }

    /// How many people have each cell as the first, or else the last, of those in which they have
    /// rows.
    pub(super) fn at_an_end(&self, cells: &Cells, last: bool) -> Vec<u32> {
        let mut counts = vec![0; cells.cells];
        let none = u32::MAX;
        let mut ends = Zeroizing::new(vec![none; self.rows()]);
        for (row, code) in (0_u32..).zip(self.codes.iter()) {
            let cell = cells.of_texts[*code as usize];
            if cell as usize == cells.cells {
                continue;
            }
            let first = self.firsts.map_or(row, |firsts| firsts[row as usize]);
            let end = &mut ends[first as usize];
            *end = match (*end, last) {
                (known, _) if known == none => cell,
                (known, true) => known.max(cell),
                (known, false) => known.min(cell),
            };
        }
        for end in ends.iter() {
            if let Some(count) = counts.get_mut(*end as usize) {
                *count += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_counts_once_in_a_cell_whatever_their_rows() {
        // Rows 0, 2 and 3 are of one person, row 1 of another.
        let firsts = [0, 1, 0, 0];
        let people = People::new(vec![0, 1, 1, 1], Some(&firsts));
        assert_eq!(people.sharing(2), [1, 2]);
        assert_eq!(people.rows_of_texts(2), [1, 3]);
        let cells = Cells::new([Some(1), Some(0)].into_iter(), 2);
        assert_eq!(people.at_an_end(&cells, false), [2, 0]);
        assert_eq!(people.at_an_end(&cells, true), [1, 1]);
        let none = Cells::new([None, Some(0)].into_iter(), 1);
        assert_eq!(people.in_cells(&none), [2]);
        let rows = People::new(vec![0, 1, 1, 1], None);
        assert_eq!(rows.sharing(2), [1, 3]);
    }
}
