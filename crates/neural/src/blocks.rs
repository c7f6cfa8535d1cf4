/// Columns of codes as blocks of a vector, one coordinate for each code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// Where each block begins, and after the last where it ends.
    starts: Vec<usize>,
}

impl Blocks {
    /// Of columns of so many codes each.
    #[must_use]
    pub fn new(sizes: &[usize]) -> Blocks {
        let mut starts = vec![0];
        for size in sizes {
            starts.push(starts[starts.len() - 1] + size);
        }
        Blocks { starts }
    }

    /// How many columns there are.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many codes all columns have together.
    #[must_use]
    pub fn width(&self) -> usize {
        self.starts[self.columns()]
    }

    /// The coordinates of a column.
    #[must_use]
    pub fn range(&self, column: usize) -> std::ops::Range<usize> {
        self.starts[column]..self.starts[column + 1]
    }

    /// The coordinate of a column's code.
    #[must_use]
    pub fn coordinate(&self, column: usize, code: u32) -> usize {
        self.starts[column] + code as usize
    }
}
