// What the browser itself reads of a table before it is uploaded: the start of a CSV file.

/** Bytes that are looked at. */
const START = 256 * 1024;
const MOST_ROWS = 200;

/**
 * The columns that a CSV file begins with, and a few of their values; of other formats, what is
 * known of them. It is a help for the eye: how the file is read is decided in the enclave.
 * @param {Blob} file @returns {Promise<FileStart | NotShown>}
 */
export async function readStart(file) {
  const bytes = new Uint8Array(await file.slice(0, START).arrayBuffer());
  const text = decode(bytes);
  if (typeof text !== "string") return text;
  if (/^\s*[[{]/.test(text)) return { not: "other" };
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const counts = [",", ";", "\t", "|"].map(
    (mark) => /** @type {const} */ ([first.split(mark).length, mark]),
  );
  const [, separator] = counts.reduce((best, one) => (one[0] > best[0] ? one : best));
  const rows = parse(text, separator, MOST_ROWS + 2);
  // The last line that was read may be cut off.
  if (file.size > START && rows.length < MOST_ROWS + 2) rows.pop();
  const [names, ...values] = rows;
  if (!names) return { not: "other" };
  const kept = values.slice(0, MOST_ROWS);
  const columns = names.map((name, i) => {
    const all = kept.map((row) => row[i] ?? "");
    const filled = all.filter((value) => value !== "");
    return { name, examples: [...new Set(filled)].slice(0, 3), empty: all.length - filled.length };
  });
  return { separator, columns, rows: kept.length };
}

/** How workbooks begin: those of today and other ZIP archives, and those of old. */
const WORKBOOKS = ["504b0304", "d0cf11e0"];
/** How gzip, Zstandard and Parquet begin. */
const OTHERS = ["1f8b", "28b52ffd", "50415231"];

/**
 * The text of these bytes, if it is in UTF-8.
 * @param {Uint8Array} bytes @returns {string | NotShown}
 */
function decode(bytes) {
  const start = [...bytes.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (WORKBOOKS.includes(start)) return { not: "workbook" };
  if (OTHERS.some((other) => start.startsWith(other)) || bytes.some((byte) => byte === 0))
    return { not: "other" };
  try {
    // Fatal only at its end: the last character may be cut off.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return { not: "encoding" };
  }
}

/**
 * Rows of CSV with quotes as RFC 4180 has them.
 * @param {string} text @param {string} separator @param {number} most @returns {string[][]}
 */
export function parse(text, separator, most) {
  const rows = [];
  /** @type {string[]} */
  let row = [];
  let field = "";
  let inQuotes = false;
  for (let i = 0; i < text.length && rows.length < most; i += 1) {
    const c = text[i];
    if (inQuotes) {
      if (c === '"' && text[i + 1] === '"') {
        field += c;
        i += 1;
      } else if (c === '"') inQuotes = false;
      else field += c;
    } else if (c === '"' && field === "") inQuotes = true;
    else if (c === separator) {
      row.push(field);
      field = "";
    } else if (c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i += 1;
      row.push(field);
      if (row.length > 1 || field !== "") rows.push(row);
      row = [];
      field = "";
    } else field += c;
  }
  if (rows.length < most && (row.length > 0 || field !== "")) rows.push([...row, field]);
  return rows;
}
