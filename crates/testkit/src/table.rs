//! Small tables, as the text files that people upload.

/// A table of texts with a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Makes `rows` rows; `cell` gives the text of a row and column, both counted from 0.
///
/// ```
/// let table = testkit::table(&["id", "plan"], 2, |row, column| match column {
///     0 => format!("p{row}"),
///     _ => ["basic", "full"][row % 2].to_owned(),
/// });
/// assert_eq!(table.to_csv(), "id,plan\np0,basic\np1,full\n");
/// ```
pub fn table(columns: &[&str], rows: usize, mut cell: impl FnMut(usize, usize) -> String) -> Table {
    let header: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let mut row = |row| (0..header.len()).map(|column| cell(row, column)).collect();
    let rows = (0..rows).map(&mut row).collect();
    Table { header, rows }
}

impl Table {
    /// The column names.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The rows, in order; each as long as the header.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// As CSV with a header, quoted where RFC 4180 demands it, with line feeds.
    pub fn to_csv(&self) -> String {
        let lines = std::iter::once(&self.header).chain(&self.rows);
        lines
            .map(|line| {
                let cells: Vec<String> = line.iter().map(|cell| quoted(cell)).collect();
                cells.join(",") + "\n"
            })
            .collect()
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let cells = ["a,b", "say \"x\"", "two\nlines", "plain"];
        let table = table(&["c"], 4, |row, _| cells[row].to_owned());
        assert_eq!(
            table.to_csv(),
            "c\n\"a,b\"\n\"say \"\"x\"\"\"\n\"two\nlines\"\nplain\n"
        );
    }
}
