// A condition as `/samples` reads it, put together from tests of columns.

/** Tests of columns whose values have no order, and of those whose values have one. */
export const UNORDERED = ["=", "!=", "in", "is missing", "is not missing"];
export const ORDERED = ["between", "<=", ">=", "=", "!=", "is missing", "is not missing"];

/** Words of the grammar: a name or value that is one of them goes in quotes. */
const PLAIN = /^[\p{L}_][\p{L}\p{N}_]*$|^-?[0-9]+(\.[0-9]+)?$|^[0-9]{4}-[0-9]{2}-[0-9]{2}$/u;
const RESERVED = ["and", "in", "is", "not", "missing", "or"];

/** A name or value, in quotes unless it is plain. A quote within is doubled. @param {string} text */
export function quoted(text) {
  if (PLAIN.test(text) && !RESERVED.includes(text.toLowerCase())) return text;
  return `"${text.replaceAll('"', '""')}"`;
}

/** The condition in the room's words; tests that are not filled in are left out. @param {Test[]} tests */
export function condition(tests) {
  const written = tests.map(({ column, test, values }) => {
    if (column === "") return "";
    const name = quoted(column);
    const filled = values.filter((value) => value !== "");
    if (test.startsWith("is ")) return `${name} ${test}`;
    if (test === "in")
      return filled.length > 0 ? `${name} in [${filled.map(quoted).join(", ")}]` : "";
    if (test === "between") {
      const [low = "", high = ""] = values;
      if (low !== "" && high !== "") return `${name} in ${quoted(low)}..${quoted(high)}`;
      if (low !== "") return `${name} >= ${quoted(low)}`;
      return high !== "" ? `${name} <= ${quoted(high)}` : "";
    }
    return filled.length > 0 ? `${name} ${test} ${quoted(/** @type {string} */ (filled[0]))}` : "";
  });
  return written.filter((text) => text !== "").join(" and ");
}
