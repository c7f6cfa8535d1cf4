// What the page writes by itself: conditions, QR codes, foreign texts, the start of a table.

import assert from "node:assert/strict";
import { test } from "node:test";
import { condition, quoted } from "../condition.js";
import { readStart } from "../file-start.js";
import { percent, shown, size } from "../format.js";
import { encode } from "../qr.js";
import { tool } from "./tools.mjs";

const qrcode = tool("qrcode-generator");

/** The code of another implementation, which chooses one of eight masks by the text. */
function otherCode(text) {
  const code = qrcode(0, "L");
  code.addData(text);
  code.make();
  const places = Array.from({ length: code.getModuleCount() }, (_, i) => i);
  return places.map((y) => places.map((x) => code.isDark(y, x)));
}

/** The number of a code's mask: three of the bits that tell readers the format. */
const maskOf = (code) => parseInt([2, 3, 4].map((x) => Number(code[8][x])).join(""), 2) ^ 0b101;

test("a QR code is the one that another implementation writes under the same mask", () => {
  for (const length of [1, 17, 60, 100, 250, 420, 700, 850]) {
    let compared = 0;
    for (let i = 33; i < 127; i += 1) {
      const text = String.fromCharCode(i) + "The image: PCR0 00ff ".repeat(50).slice(1, length);
      const other = otherCode(text);
      if (maskOf(other) !== 3) continue;
      assert.deepEqual(encode(text), other, text);
      compared += 1;
    }
    assert.ok(compared > 0, `${length} characters`);
  }
});

test("a condition quotes what the grammar would read otherwise", () => {
  assert.equal(quoted("Alice_age"), "Alice_age");
  assert.equal(quoted("-3.5"), "-3.5");
  assert.equal(quoted("and"), '"and"');
  assert.equal(quoted('a"] or 1'), '"a""] or 1"');
  const tests = [
    { column: "Alice_age", test: "between", values: ["30", "40"] },
    { column: "town", test: "in", values: ["Graz", "St. Pölten"] },
    { column: "x", test: "is missing", values: [] },
    { column: "y", test: "=", values: [""] },
  ];
  assert.equal(
    condition(tests),
    'Alice_age in 30..40 and town in [Graz, "St. Pölten"] and x is missing',
  );
});

test("a span with one bound is a condition, and one without is none", () => {
  const between = (...values) => condition([{ column: "age", test: "between", values }]);
  assert.equal(between("30", ""), "age >= 30");
  assert.equal(between("", "40"), "age <= 40");
  assert.equal(between("", ""), "");
  assert.equal(between(), "");
});

test("what a screen would obey is shown by its code, and books are cut", () => {
  assert.equal(shown("a\u202eb\u0007\u200b"), "a\\u{202e}b\\u{7}\\u{200b}");
  assert.equal(shown("שלום"), "שלום");
  assert.equal(shown("x".repeat(64_000)).length, 301);
});

test("numbers are short", () => {
  assert.equal(percent(0.1234), "12.3 %");
  assert.equal(percent(-0.01), "−1.0 %");
  assert.equal(percent(0.00001), "<0.1 %");
  assert.equal(size(999), "999 bytes");
  assert.equal(size(2_500_000), "2.5 MB");
});

test("the start of a table is read with its quotes, and other formats are left to the enclave", async () => {
  const start = await readStart(new Blob(['id;"a;b"\r\n1;"x ""y"""\r\n2;\r\n']));
  assert.equal(start.separator, ";");
  assert.deepEqual(start.columns, [
    { name: "id", examples: ["1", "2"], empty: 0 },
    { name: "a;b", examples: ['x "y"'], empty: 1 },
  ]);
  for (const [bytes, not] of [
    [[80, 65, 82, 49, 0], "other"],
    [[0x1f, 0x8b, 8, 0], "other"],
    [[...new TextEncoder().encode('[{"id": 1}]')], "other"],
    [[80, 75, 3, 4, 20, 0], "workbook"],
    [[0xd0, 0xcf, 0x11, 0xe0, 0xa1], "workbook"],
    // "id,naïve" and a line more, in Latin 1.
    [[105, 100, 44, 110, 97, 0xef, 118, 101, 10, 49, 44, 50, 10], "encoding"],
  ]) {
    assert.deepEqual(await readStart(new Blob([new Uint8Array(bytes)])), { not });
  }
});
