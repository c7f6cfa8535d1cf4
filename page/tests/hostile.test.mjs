// The other party's names and categories are text, whatever they look like.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { Room } from "./room.mjs";

const MARKUP = "<img src=x onerror=alert(1)>";
const CLOSES = "\"]}'</script><script>alert(2)</script>";
const TURNS = "abc\u202e\u2066txt.exe";
const LONG = "w".repeat(64 * 1024);
const COLUMNS = 2_000;

let browser;
let room;

/** Bob's columns, declared by Bob, as Alice is shown them. */
function runtime() {
  const text = JSON.stringify;
  const bob = [
    `    ${text(MARKUP)}: {categories: [${text(MARKUP)}, ${text(CLOSES)}, ${text(LONG)}]}`,
  ];
  bob.push(
    `    ${text(CLOSES)}: {integer: {min: 0, max: 9}}`,
    `    ${text("עברית")}: {categories: [כן, לא]}`,
  );
  for (let i = bob.length; i < COLUMNS; i += 1) bob.push(`    c${i}: {categories: [a, b]}`);
  return `method: INDEPENDENT
epsilon: 3
party_names:
- Alice
- Bob
limits:
  max_columns: 2500
columns:
  Alice:
    buying: {categories: [low, high]}
  Bob:
${bob.join("\n")}
`;
}

function table() {
  const csv = (value) => `"${value.replaceAll('"', '""')}"`;
  const names = [
    "id",
    MARKUP,
    CLOSES,
    "עברית",
    ...Array.from({ length: COLUMNS - 3 }, (_, i) => `c${i + 3}`),
  ];
  const rows = Array.from({ length: 60 }, (_, id) => [
    String(id),
    [MARKUP, CLOSES][id % 2],
    String(id % 10),
    id % 2 ? "כן" : "לא",
    ...Array.from({ length: COLUMNS - 3 }, (_, i) => ((id + i) % 2 ? "a" : "b")),
  ]);
  return [names, ...rows].map((row) => `${row.map(csv).join(",")}\n`).join("");
}

before(async () => {
  browser = await launch();
  room = await Room.start(runtime());
  writeFileSync(
    room.file("0.csv"),
    `id,buying\n${Array.from({ length: 60 }, (_, i) => `${i},${i % 2 ? "low" : "high"}\n`).join("")}`,
  );
  writeFileSync(room.file("1.csv"), table());
  writeFileSync(room.file("turns.csv"), `id,buying,${TURNS}\n1,low,${TURNS}\n`);
});

after(async () => {
  await browser?.close();
  room?.end();
});

test("nothing runs and nothing breaks, from the agreement to the rows", async () => {
  const people = [];
  for (const [i, name] of ["Alice", "Bob"].entries()) {
    const { address } = await room.connect(name);
    const person = await Person.at(browser, address);
    people.push(person);
    await person.step("agreement");
    if (i === 0) {
      await person.page.locator("details", { hasText: "Bob" }).last().locator("summary").click();
      await person.page.evaluate(() =>
        document.querySelectorAll("details").forEach((one) => (one.open = true)),
      );
      await person.sees(MARKUP);
      await person.isAccessible();
      await person.picture("hostile-agreement");
    }
    await person.press("Accept this agreement");
    if (i === 0) {
      // Shown by their codes, so that a screen does not obey them; the room takes no such name.
      await person.page.setInputFiles("#table", room.file("turns.csv"));
      await person.sees("abc\\u{202e}\\u{2066}txt.exe");
      await person.press("Upload to the enclave");
      await person.sees("changes the direction of writing");
    }
    await person.page.setInputFiles("#table", room.file(`${i}.csv`));
    await person.sees("Takes part as");
    if (i === 1) await person.picture("hostile-upload");
    await person.press("Upload to the enclave");
    await person.sees("What the enclave read of your table");
    await person.page.getByLabel("I have read this").check();
    await person.press("Confirm my table");
  }
  const [alice] = people;
  await alice.step("waiting");
  await alice.page.getByText("The model is ready.").waitFor({ timeout: 60_000 });
  await alice.step("result");
  await alice.page.locator("article h3", { hasText: MARKUP }).waitFor();
  // Many columns are drawn when they are asked for.
  assert.equal(await alice.page.locator("article").count(), 24);
  await alice.page.getByLabel("Find a column").fill("c999");
  await alice.sees(`1 of ${COLUMNS + 1} columns`);
  await alice.page.getByLabel("Find a column").fill("");
  await alice.picture("hostile-result");
  await alice.step("samples");
  await alice.page.locator("table.rows tbody tr").nth(19).waitFor();
  await alice.press("Only rows of which …");
  const selects = alice.page.locator(".test select");
  await selects.nth(0).selectOption(`Bob_${MARKUP}`);
  await selects.nth(2).selectOption(CLOSES);
  await alice.sees("of the model's rows are of this kind");
  await alice.picture("hostile-samples");
  const wide = await alice.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  assert.ok(wide, "the page is wider than the window");
  const images = await alice.page.locator("img, main script").count();
  assert.equal(images, 0);
  for (const person of people) person.isUnharmed();
});
