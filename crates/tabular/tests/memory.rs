//! The heap's real peak while tables of many shapes are read, each until it is refused.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use schema::{Declaration, Schema};
use tabular::{KeyHasher, ReadLimits, TableError, read_csv};

/// Counts the bytes that are allocated, and the most that were at a time.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe; this one leaves all to the system's"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; every place came from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A CSV file without an end.
struct Endless<F> {
    row: u64,
    make: F,
    line: Vec<u8>,
    at: usize,
}

impl<F: FnMut(u64, &mut Vec<u8>)> Read for Endless<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.line.clear();
            self.at = 0;
            (self.make)(self.row, &mut self.line);
            self.row += 1;
        }
        let count = (self.line.len() - self.at).min(buffer.len());
        buffer[..count].copy_from_slice(&self.line[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

const LIMIT: u64 = 16 << 20;
/// What is not counted: the parser's buffer, the schema, names, the error.
const SLACK: u64 = 1 << 20;

/// Reads a table with these columns besides the id, whose rows `make` writes, until it is refused.
fn check(
    shape: &str,
    columns: usize,
    schema: Option<&str>,
    most: Option<u32>,
    mut make: impl FnMut(u64, &mut Vec<u8>),
) {
    let schema = schema.map(|yaml| Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap());
    let limits = ReadLimits {
        max_memory_bytes: LIMIT,
        max_rows_per_id: most.and_then(NonZeroU32::new),
        ..ReadLimits::default()
    };
    let names = (0..columns).map(|column| format!(",c{column}"));
    let header = format!("id{}\n", names.collect::<String>());
    let endless = Endless {
        row: 0,
        make: |row, line: &mut Vec<u8>| match row {
            0 => line.extend_from_slice(header.as_bytes()),
            row => make(row, line),
        },
        line: Vec::with_capacity(1 << 24),
        at: 0,
    };
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let hasher = KeyHasher::new([3; 16]);
    let refused = read_csv(endless, Some("id"), schema.as_ref(), &hasher, &limits).unwrap_err();
    let peak = (PEAK.load(Relaxed) - before) as u64;
    assert!(
        matches!(refused, TableError::TooMuchMemory { .. }),
        "{shape}: {refused}"
    );
    assert!(peak < LIMIT + SLACK, "{shape}: {peak} bytes");
    assert!(peak > LIMIT / 8, "{shape}: refused at {peak} bytes");
}

fn write(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    io::Write::write_fmt(line, text).unwrap();
}

#[test]
fn no_shape_of_a_table_takes_more_than_the_limit() {
    let declared: String = (0..20)
        .map(|column| format!("c{column}: {{integer: {{min: 0, max: 9}}}}\n"))
        .collect();
    check(
        "20 declared columns",
        20,
        Some(&declared),
        None,
        |row, line| {
            write(line, format_args!("{row}{}\n", ",7".repeat(20)));
        },
    );
    let wide = "c0: {integer: {min: 0, max: 99999, bins: 60000}}\n";
    check("two bytes a code", 1, Some(wide), None, |row, line| {
        write(line, format_args!("{row},{}\n", row % 100_000));
    });
    check("long texts", 1, None, None, |row, line| {
        write(line, format_args!("{row},{row}{}\n", "x".repeat(5_000)));
    });
    check("unique short texts", 2, None, None, |row, line| {
        write(line, format_args!("{row},{row},a{row}\n"));
    });
    check(
        "a thousand columns of nothing",
        1_000,
        None,
        None,
        |row, line| {
            write(line, format_args!("{row}{}\n", ",".repeat(1_000)));
        },
    );
    check(
        "a thousand columns of texts",
        1_000,
        None,
        None,
        |row, line| {
            write(line, format_args!("{row}"));
            (0..1_000).for_each(|_| write(line, format_args!(",{row}")));
            line.push(b'\n');
        },
    );
    check("a code that gets wider", 100, None, None, |row, line| {
        write(line, format_args!("{row}"));
        (0..100).for_each(|_| write(line, format_args!(",{}", row % 300)));
        line.push(b'\n');
    });
    check("repeated ids", 1, None, Some(3), |row, line| {
        write(line, format_args!("{},x\n", row / 2));
    });
    check("long ids", 1, None, None, |row, line| {
        write(line, format_args!("{row}{},x\n", "y".repeat(2_000)));
    });
    check("a long record of nothing", 1, None, None, |_, line| {
        line.extend(std::iter::repeat_n(b',', 1 << 23));
    });
}
