//! The pages of a Parquet column, decompressed and checked, one at a time.
//!
//! A page says of itself how long it is unpacked and how many values it holds; neither is believed.
//! A page is unpacked into exactly the place that its header asks for, which the table's account
//! has made room for, and a page that has more in it is refused. What its decoder will allocate by
//! the numbers in the page is counted before the decoder sees it.

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use zeroize::Zeroizing;

use crate::account::Account;
use crate::error::TableError;
use crate::parquet_footer::{Chunk, Leaf, damaged};
use crate::parquet_value::FIXED_LENGTH;
use crate::thrift::{Malformed, STRUCT, Thrift};
use crate::unpack::{UNCOMPRESSED, unpack};
use crate::work::Work;

/// Bytes that a page's header is sought in: first few, then, should it hold long statistics, many.
const HEADER: [usize; 2] = [1 << 12, 1 << 20];

/// What reading a header is counted as, in bytes, besides its own.
const HEADER_WORK: u64 = 64;

/// Bytes of the values that are decoded together, where one may be as long as the page.
pub(crate) const SHARED: usize = 1 << 20;

/// The longest values of one length that are decoded stream by stream. Numbers have 16 bytes.
const MOST_WIDTH: usize = 1 << 10;

/// Bytes of a value in a decoded dictionary.
const DICTIONARY_ENTRY: u64 = 40;

/// The pages of one column of one row group.
pub(crate) struct Pages<'a, R> {
    input: &'a R,
    account: &'a Account,
    work: &'a Work,
    chunk: Chunk,
    /// Whether values can be absent, and how long all of them are where that is declared.
    optional: bool,
    width: Option<usize>,
    /// Bytes taken from the account: for the dictionary, for the latest page, and for the one
    /// before it, which the decoder lets go of when it gets the latest.
    dictionary: u64,
    latest: u64,
    previous: u64,
}

/// A page that is ready to be decoded.
pub(crate) struct ReadyPage {
    pub(crate) page: Page,
    /// How many records it has; none for a dictionary.
    pub(crate) records: usize,
    /// Bytes that each of its values may have, where values take from those before them or are
    /// laid out together.
    pub(crate) shared: Option<usize>,
}

impl<'a, R: ChunkReader> Pages<'a, R> {
    pub(crate) fn new(
        input: &'a R,
        account: &'a Account,
        work: &'a Work,
        chunk: Chunk,
        leaf: &Leaf,
    ) -> Self {
        Self {
            input,
            account,
            work,
            chunk,
            optional: leaf.optional,
            width: (leaf.physical == FIXED_LENGTH)
                .then(|| usize::try_from(leaf.length).unwrap_or(0)),
            dictionary: 0,
            latest: 0,
            previous: 0,
        }
    }

    /// The next page, which may hold at most this many records.
    pub(crate) fn next(&mut self, most: usize) -> Result<Option<ReadyPage>, TableError> {
        // Pages are looked at where the one before ended, never where an index says.
        while self.chunk.start < self.chunk.end {
            let header = self.header()?;
            let packed = self.packed(&header)?;
            // Also for pages that are skipped: their headers cost time.
            self.work
                .take(header.packed as u64 + header.unpacked as u64)?;
            match header.kind {
                Header::INDEX => {}
                Header::DICTIONARY => return self.dictionary(&header, packed).map(Some),
                Header::DATA | Header::DATA_V2 => {
                    return self.data(&header, packed, most).map(Some);
                }
                _ => return Err(damaged("it has pages of an unknown kind")),
            }
        }
        Ok(None)
    }

    fn header(&mut self) -> Result<Header, TableError> {
        let left = self.chunk.end - self.chunk.start;
        for window in HEADER {
            let window = usize::try_from(left).unwrap_or(usize::MAX).min(window);
            let bytes = self.input.get_bytes(self.chunk.start, window)?;
            let mut thrift = Thrift::new(&bytes);
            let header = Header::read(&mut thrift);
            // Columns may overlap, so that a long header can be read any number of times.
            let looked_at = (window - thrift.left()) as u64;
            self.work.take(HEADER_WORK + looked_at)?;
            if let Ok(header) = header {
                self.chunk.start += looked_at;
                return Ok(header);
            }
        }
        Err(damaged("a page has no header"))
    }

    fn packed(&mut self, header: &Header) -> Result<Bytes, TableError> {
        // Else a page could reach into the next column, or the footer.
        if header.packed as u64 > self.chunk.end - self.chunk.start {
            return Err(damaged("a page is longer than its column"));
        }
        let packed = match header.kind {
            Header::INDEX => Bytes::new(),
            _ => self.input.get_bytes(self.chunk.start, header.packed)?,
        };
        self.chunk.start += header.packed as u64;
        Ok(packed)
    }

    fn dictionary(&mut self, header: &Header, packed: Bytes) -> Result<ReadyPage, TableError> {
        let decoded = u64::from(header.values()?) * DICTIONARY_ENTRY;
        // Twice the unpacked bytes: the decoder may copy a dictionary when it takes it in.
        let bytes = 2 * header.unpacked as u64 + decoded;
        self.account.take(bytes)?;
        self.dictionary += bytes;
        let page = Page::DictionaryPage {
            buf: self.unpacked(header, 0, packed)?,
            num_values: header.values()?,
            encoding: encoding(header.own[2])?,
            is_sorted: false,
        };
        Ok(ReadyPage {
            page,
            records: 0,
            shared: None,
        })
    }

    fn data(
        &mut self,
        header: &Header,
        packed: Bytes,
        most: usize,
    ) -> Result<ReadyPage, TableError> {
        let values = header.values()?;
        // More values than rows are left: decoding them would overrun the column.
        if values as usize > most {
            return Err(damaged("its row groups disagree about the number of rows"));
        }
        let version_2 = header.kind == Header::DATA_V2;
        let encoded = encoding(header.own[if version_2 { 4 } else { 2 }])?;
        // Version 2 can say page by page that it is not compressed.
        let is_packed = self.chunk.codec != UNCOMPRESSED && !(version_2 && header.own[7] == 0);
        let size = if is_packed {
            header.unpacked
        } else {
            header.packed
        };
        let (copies, for_each) = match encoded {
            // Values are put together anew, and their lengths are held besides.
            Encoding::DELTA_BYTE_ARRAY => (2, 16),
            Encoding::DELTA_LENGTH_BYTE_ARRAY => (0, 16),
            _ => (0, 0),
        };
        // Its decoder makes room for all values that it is asked for before it looks whether they
        // are there.
        let in_streams = match (encoded, self.width) {
            (Encoding::BYTE_STREAM_SPLIT, width) => width,
            _ => None,
        };
        if in_streams.is_some_and(|width| !(1..=MOST_WIDTH).contains(&width)) {
            return Err(damaged(
                "its values have a length that none of its pages can hold",
            ));
        }
        let copies = copies + u64::from(is_packed) + u64::from(self.width.is_some());
        let streams = in_streams.map_or(0, |width| width.max(SHARED) as u64);
        let bytes = copies * size as u64 + for_each * u64::from(values) + streams;
        // The decoder lets go of the page before when it gets this one, not earlier: both count
        // until then.
        self.account.give(std::mem::take(&mut self.previous));
        self.account.take(bytes)?;
        self.previous = std::mem::replace(&mut self.latest, bytes);
        let page = match version_2 {
            true => self.data_v2(header, encoded, packed)?,
            false => Page::DataPage {
                buf: self.unpacked(header, 0, packed)?,
                num_values: values,
                encoding: encoded,
                def_level_encoding: encoding(header.own[3])?,
                rep_level_encoding: encoding(header.own[4])?,
                statistics: None,
            },
        };
        // Last, since the lengths are inside the unpacked bytes.
        self.check_lengths(&page)?;
        Ok(ReadyPage {
            page,
            records: values as usize,
            shared: match encoded {
                Encoding::DELTA_BYTE_ARRAY => Some(size),
                _ => in_streams,
            },
        })
    }

    fn data_v2(
        &self,
        header: &Header,
        encoding: Encoding,
        packed: Bytes,
    ) -> Result<Page, TableError> {
        let [
            _,
            _,
            nulls,
            rows,
            _,
            definition,
            repetition,
            is_compressed,
            ..,
        ] = header.own;
        let (definition, repetition) = (count(definition)?, count(repetition)?);
        let levels = definition as usize + repetition as usize;
        let buf = match is_compressed {
            0 => packed,
            _ => self.unpacked(header, levels, packed)?,
        };
        if levels > buf.len() {
            return Err(Malformed.into());
        }
        Ok(Page::DataPageV2 {
            buf,
            num_values: header.values()?,
            encoding,
            num_nulls: count(nulls)?,
            num_rows: count(rows)?,
            def_levels_byte_len: definition,
            rep_levels_byte_len: repetition,
            is_compressed: false,
            statistics: None,
        })
    }

    /// The page's bytes, of which the first `plain` are not compressed.
    fn unpacked(&self, header: &Header, plain: usize, packed: Bytes) -> Result<Bytes, TableError> {
        if self.chunk.codec == UNCOMPRESSED {
            return Ok(packed);
        }
        let (levels, packed) = packed.split_at_checked(plain).ok_or(Malformed)?;
        let rest = header.unpacked.checked_sub(plain).ok_or(Malformed)?;
        // Wiped on drop: pages hold raw values.
        let mut place = Zeroizing::new(vec![0; header.unpacked]);
        place[..plain].copy_from_slice(levels);
        if rest > 0 {
            unpack(self.chunk.codec, packed, &mut place[plain..])?;
        }
        Ok(Bytes::from_owner(place))
    }

    /// Refuses a page whose lengths of texts are more than its values: their decoder makes room for
    /// as many as they say.
    fn check_lengths(&self, page: &Page) -> Result<(), TableError> {
        let (values, encoding, start, bytes) = match page {
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                ..
            } => {
                let start = match (self.optional, def_level_encoding) {
                    (false, _) => 0,
                    (true, Encoding::RLE) => {
                        let length = buf.first_chunk::<4>().ok_or(Malformed)?;
                        4 + u32::from_le_bytes(*length) as usize
                    }
                    (true, _) => (*num_values as usize).div_ceil(8),
                };
                (*num_values, *encoding, start, buf)
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                (*num_values, *encoding, levels, buf)
            }
            Page::DictionaryPage { .. } => return Ok(()),
        };
        let lists = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => return Ok(()),
        };
        let mut bytes = bytes.get(start..).ok_or(Malformed)?;
        for _ in 0..lists {
            bytes = after_deltas(bytes, values)?;
        }
        Ok(())
    }
}

impl<R> Drop for Pages<'_, R> {
    fn drop(&mut self) {
        self.account
            .give(self.dictionary + self.latest + self.previous);
    }
}

/// What a page says of itself.
struct Header {
    kind: i64,
    /// Bytes of the page as it is in the file, and when it is unpacked.
    packed: usize,
    unpacked: usize,
    /// The fields of the header of its kind, by their numbers.
    own: [i64; 9],
}

impl Header {
    const DATA: i64 = 0;
    const INDEX: i64 = 1;
    const DICTIONARY: i64 = 2;
    const DATA_V2: i64 = 3;

    fn read(thrift: &mut Thrift<'_>) -> Result<Self, Malformed> {
        let (mut common, mut own) = ([-1; 4], [-1; 9]);
        thrift.fields(|thrift, field, kind| match (field, kind) {
            (1..=3, 4..=6) => {
                common[usize::try_from(field).map_err(|_| Malformed)?] = thrift.int()?;
                Ok(())
            }
            (5 | 7 | 8, STRUCT) => thrift.numbers(&mut own),
            _ => thrift.skip(kind),
        })?;
        let [_, kind, unpacked, packed] = common;
        Ok(Self {
            kind,
            packed: count(packed)? as usize,
            unpacked: count(unpacked)? as usize,
            own,
        })
    }

    fn values(&self) -> Result<u32, Malformed> {
        count(self.own[1])
    }
}

/// Parquet counts in signed numbers of 32 bits.
fn count(number: i64) -> Result<u32, Malformed> {
    let number = i32::try_from(number).map_err(|_| Malformed)?;
    u32::try_from(number).map_err(|_| Malformed)
}

fn encoding(number: i64) -> Result<Encoding, TableError> {
    Ok(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        #[expect(deprecated, reason = "old files hold levels in it")]
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return Err(TableError::Parquet("it has an unknown encoding".to_owned())),
    })
}

/// What comes after a list of at most `most` numbers in the encoding `DELTA_BINARY_PACKED`.
fn after_deltas(bytes: &[u8], most: u32) -> Result<&[u8], Malformed> {
    let mut thrift = Thrift::new(bytes);
    let in_block = thrift.varint()?;
    let minis = thrift.varint()?;
    let count = thrift.varint()?;
    thrift.int()?;
    if count > most.into() || minis == 0 || in_block == 0 {
        return Err(Malformed);
    }
    let in_mini = in_block / minis;
    let minis = usize::try_from(minis).map_err(|_| Malformed)?;
    // The first number is in the header.
    let mut left = count.saturating_sub(1);
    while left > 0 {
        thrift.int()?;
        let widths = thrift.take(minis)?;
        for &width in widths {
            let used = left > 0;
            left = left.saturating_sub(in_mini);
            let bits = in_mini.checked_mul(width.into()).ok_or(Malformed)?;
            if used {
                thrift.take(usize::try_from(bits / 8).map_err(|_| Malformed)?)?;
            }
        }
    }
    Ok(thrift.rest())
}

/// Hands the decoder one page, and then says that there are no more until there is another: so
/// values of one page only are alive at a time.
#[derive(Clone, Default)]
pub(crate) struct Slot(std::sync::Arc<std::sync::Mutex<Option<Page>>>);

impl Slot {
    pub(crate) fn put(&self, page: Page) {
        *self.lock() = Some(page);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Page>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Iterator for Slot {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.lock().take().map(Ok)
    }
}

impl PageReader for Slot {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        Ok(self.lock().take())
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        Ok(None)
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        *self.lock() = None;
        Ok(())
    }
}
