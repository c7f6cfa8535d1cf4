// Two people go from evidence to rows and a verified receipt, each in a browser of their own.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { Room, RUNTIME, tables } from "./room.mjs";

let browser;
let room;
const people = [];

before(async () => {
  browser = await launch();
  room = await Room.start(RUNTIME);
  tables().forEach((table, i) => writeFileSync(room.file(`${i}.csv`), table));
  for (const name of ["Alice", "Bob"]) {
    const { address } = await room.connect(name);
    people.push(await Person.at(browser, address));
  }
});

after(async () => {
  await browser?.close();
  room?.end();
});

/** Shows a step in the ways that people look at it. */
async function look(person, name) {
  await person.isAccessible();
  await person.picture(`${name}-light`);
  await person.page.emulateMedia({ colorScheme: "dark" });
  await person.isAccessible();
  await person.page.setViewportSize({ width: 320, height: 800 });
  const width = await person.page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 320, `${name} is ${width} pixels wide`);
  await person.picture(`${name}-narrow-dark`);
  await person.page.setViewportSize({ width: 1200, height: 900 });
  await person.page.emulateMedia({ colorScheme: "light", media: "print" });
  await person.picture(`${name}-print`);
  await person.page.emulateMedia({ colorScheme: "light", media: "screen" });
}

test("the token leaves the address, and the evidence is shown first", async () => {
  const [alice] = people;
  assert.ok(!alice.page.url().includes("token"), alice.page.url());
  await alice.sees("All checks hold, but no hardware vouches for this room.");
  await alice.sees("The program in the enclave is the very image that you expect.");
  await alice.press("Check again now");
  await alice.page.waitForFunction(() => !document.querySelector("button:disabled"));
  await look(alice, "evidence");
});

test("before the agreement is accepted nothing of the room is answered", async () => {
  const [alice] = people;
  const status = await alice.page.evaluate(async () => (await fetch("/status")).status);
  assert.equal(status, 503);
  await alice.step("upload");
  await alice.sees("A table can be sent once the evidence holds");
});

test("the agreement is said in words and accepted on the page", async () => {
  for (const [i, person] of people.entries()) {
    await person.step("agreement");
    await person.sees("changes the odds of anything");
    await person.sees("Changing everything about somebody who is in the data changes the odds");
    await person.sees("no hardware vouches for this room");
    if (i === 0) await look(person, "agreement");
    await person.press("Accept this agreement");
    await person.page.waitForSelector(".step.upload");
  }
});

test("a file that the room refuses is refused in its own sentence", async () => {
  const [alice] = people;
  writeFileSync(room.file("bad.csv"), "name,buying\nx,low\n");
  await alice.page.setInputFiles("#table", room.file("bad.csv"));
  await alice.sees("There is no column `id`");
  await alice.press("Upload to the enclave");
  await alice.page.waitForSelector("[role=alert]");
  assert.match(await alice.page.locator("[role=alert]").innerText(), /\bid\b/);
});

test("tables are uploaded, read back to their owner alone, and confirmed", async () => {
  for (const [i, person] of people.entries()) {
    await person.page.setInputFiles("#table", room.file(`${i}.csv`));
    await person.sees("3 columns, by the first 200 rows");
    if (i === 0) await look(person, "upload-chosen");
    await person.press("Upload to the enclave");
    await person.sees("What the enclave read of your table");
    await person.sees("1000 different ids");
    // It is still there after a reload.
    await person.page.reload();
    await person.sees("1000 different ids");
    if (i === 0) await look(person, "upload-read");
    assert.ok(await person.page.getByRole("button", { name: "Confirm my table" }).isDisabled());
    await person.page.getByLabel("I have read this").check();
    await person.press("Confirm my table");
    if (i > 0) continue;
    await person.sees("You have confirmed your table.");
    await person.press("Take my confirmation back");
    await person.page.getByLabel("I have read this").check();
    await person.press("Confirm my table");
    await person.sees("You have confirmed your table.");
    await person.step("waiting");
    await person.sees("Waiting for tables");
    await look(person, "waiting");
  }
});

test("both are told when the model is ready, without asking", async () => {
  const [alice, bob] = people;
  await alice.page.getByText("The model is ready.").waitFor({ timeout: 60_000 });
  await bob.step("waiting");
  await bob.sees("The model is ready.");
  await bob.sees("rows met");
});

test("the result is drawn with its errors, and says what not to rely on", async () => {
  const [alice] = people;
  await alice.step("result");
  await alice.sees("Alice_buying");
  assert.equal(await alice.page.locator("svg.bars").count(), 4);
  assert.ok((await alice.page.locator("svg.bars .error").count()) >= 14);
  assert.match(
    await alice.page.locator("svg.bars .figure").first().textContent(),
    /^\d+\.\d % ± \d+\.\d$/,
  );
  await alice.page.locator("svg.map .cell").first().hover({ force: true });
  await alice.sees("off by up to");
  // On a small screen too an error stands beside its pair, in what is seen without scrolling.
  await alice.page.setViewportSize({ width: 320, height: 800 });
  const bound = await alice.page.locator(".pairs td.number").first().boundingBox();
  assert.ok(bound.x + bound.width <= 320, JSON.stringify(bound));
  await alice.page.setViewportSize({ width: 1200, height: 900 });
  await look(alice, "result");
});

test("rows are chosen by their columns' values, refused live, previewed and downloaded", async () => {
  const [, bob] = people;
  await bob.step("samples");
  await bob.page.locator("table.rows tbody tr").nth(19).waitFor();
  await bob.press("Only rows of which …");
  const selects = bob.page.locator(".test select");
  await selects.nth(0).selectOption("Alice_buying");
  await selects.nth(2).selectOption("high");
  await bob.sees("of the model's rows are of this kind");
  const prices = await bob.page.locator("table.rows tbody td:first-child").allInnerTexts();
  assert.deepEqual([...new Set(prices)], ["high"]);
  await look(bob, "samples");
  await bob.page.getByLabel("The condition, as the room reads it").fill("Alice_colour = red");
  await bob.page.waitForSelector("[role=alert]");
  assert.match(await bob.page.locator("[role=alert]").innerText(), /Alice_colour|column/);
  await bob.page.getByLabel("The condition, as the room reads it").fill("Alice_buying = high");
  // The builder adds to what was typed.
  await bob.press("Only rows of which …");
  await selects.nth(0).selectOption("Bob_age");
  const [from, to] = [bob.page.getByLabel("from"), bob.page.getByLabel("to", { exact: true })];
  await from.fill("");
  await to.fill("");
  await bob.sees("Not filled in");
  await to.fill("9");
  const text = bob.page.getByLabel("The condition, as the room reads it");
  assert.equal(await text.inputValue(), "Alice_buying = high and Bob_age <= 9");
  assert.equal(await bob.page.getByText("Not filled in").count(), 0);
  await bob.press("Remove test 1");
  assert.equal(await text.inputValue(), "Alice_buying = high");
  // What the room refuses is told, and not "saved" by the browser.
  for (const count of ["99999999", "0", "-5", "1.5"]) {
    await bob.page.getByLabel("Rows", { exact: true }).fill(count);
    await bob.press("Download the rows");
    await bob.page.waitForSelector("[role=alert]");
    assert.equal(await bob.page.getByText("The browser is saving it").count(), 0, count);
  }
  await bob.page.getByLabel("Rows", { exact: true }).fill("500");
  const [saved] = await Promise.all([
    bob.page.waitForEvent("download"),
    bob.press("Download the rows"),
  ]);
  const rows = readFileSync(await saved.path(), "utf8")
    .trim()
    .split("\n");
  assert.equal(rows.length, 501);
  assert.ok(
    rows.slice(1).every((row) => row.startsWith("high,")),
    rows[1],
  );
});

test("the receipt is verified by the program, explained and downloaded", async () => {
  const [alice] = people;
  await alice.step("receipt");
  await alice.press("Verify the receipt");
  await alice.sees("The receipt holds.");
  await alice.sees("no hardware vouches for this room");
  assert.ok((await alice.page.locator(".checks li.yes").count()) > 0);
  assert.equal(await alice.page.locator(".checks li.no").count(), 0);
  assert.match(await alice.page.locator(".facts div", { hasText: "method" }).innerText(), /GRAIN/);
  const model = alice.page.locator(".facts div").filter({ hasText: /^model/ });
  assert.match(await model.innerText(), /[0-9a-f]{96}/);
  await alice.sees("the same as at your upload");
  assert.ok((await alice.page.locator(".facts").innerText()).includes("commitment"));
  await look(alice, "receipt");
  const [saved] = await Promise.all([
    alice.page.waitForEvent("download"),
    alice.press("Download the receipt"),
  ]);
  writeFileSync(room.file("receipt.json"), readFileSync(await saved.path()));
  room.once("synclave", [
    "verify-receipt",
    room.file("receipt.json"),
    "--measurements",
    room.file("measurements.json"),
    "--agreement",
    room.agreement(),
    "--dangerous-root",
    room.file("root.pem"),
  ]);
});

test("a connection that breaks is told in words, and comes back by itself", async () => {
  const [alice] = people;
  await alice.context.setOffline(true);
  await alice.step("result");
  await alice.sees("does not answer");
  await alice.context.setOffline(false);
  await alice.press("Try again");
  await alice.sees("Alice_buying");
});

test("no run has broken the page's policy", () => {
  for (const person of people) person.isUnharmed();
});
