// A model's file in the page, without a room; and a port that demands the token of everything.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { freePort, Relay, Room, RUNTIME, tables, until } from "./room.mjs";

let browser;
let room;

before(async () => {
  browser = await launch();
  room = await Room.start(RUNTIME);
});

after(async () => {
  await browser?.close();
  room?.end();
});

/** The page's address for a model of this table, made under this schema. */
async function viewed() {
  room.once("synclave", [
    ...["synth", room.file("table.csv"), "--schema", room.file("schema.yaml"), "--epsilon", "2"],
    ...["--model", room.file("table.model"), "--output", room.file("rows.csv")],
  ]);
  const lport = await freePort();
  const viewer = room.run("synclave", ["view", room.file("table.model"), "--lport", String(lport)]);
  return until("the page", () => {
    return /http:\/\/localhost:\d+\/#token=[0-9a-f]+/.exec(viewer.said())?.[0] ?? viewer.ended();
  });
}

test("a model's file has its result and its samples, and no step of a room", async () => {
  writeFileSync(room.file("table.csv"), tables(500)[0]);
  const schema =
    "id: drop\nbuying: {categories: [low, med, high, vhigh]}\ndoors: {integer: {min: 2, max: 5}}\n";
  writeFileSync(room.file("schema.yaml"), schema);
  const person = await Person.at(browser, await viewed());
  assert.deepEqual(await person.page.locator(".steps a").allInnerTexts(), ["Result", "Samples"]);
  await person.sees("table.model");
  await person.page.locator("svg.bars").nth(1).waitFor();
  await person.isAccessible();
  await person.picture("model-result");
  await person.step("samples");
  await person.page.locator("table.rows tbody tr").nth(19).waitFor();
  await person.press("Only rows of which …");
  const selects = person.page.locator(".test select");
  await selects.nth(0).selectOption("buying");
  await selects.nth(2).selectOption("low");
  await person.sees("of the model's rows are of this kind");
  const [saved] = await Promise.all([
    person.page.waitForEvent("download"),
    person.press("Download the rows"),
  ]);
  assert.equal(
    readFileSync(await saved.path(), "utf8")
      .trim()
      .split("\n").length,
    1001,
  );
  person.isUnharmed();
});

test("columns stand in their order, and a missing value is no value to choose", async () => {
  const lines = Array.from({ length: 300 }, (_, i) => {
    return `${i},${["Graz", "null", ""][i % 3]},${i % 2 ? "" : "x"},${"ab"[i % 2]},${"cd"[i % 2]}`;
  });
  writeFileSync(room.file("table.csv"), `id,town,mark,2,1\n${lines.join("\n")}\n`);
  const schema = [
    "id: drop",
    'town: {categories: [Graz, "null"], nullable: true}',
    "mark: {categories: [x, y], nullable: true}",
    '"2": {categories: [a, b]}',
    '"1": {categories: [c, d]}',
  ];
  writeFileSync(room.file("schema.yaml"), `${schema.join("\n")}\n`);
  const person = await Person.at(browser, await viewed());
  await person.step("samples");
  const heads = person.page.locator("table.rows thead th");
  await heads.nth(3).waitFor();
  assert.deepEqual(await heads.allInnerTexts(), ["town", "mark", "2", "1"]);
  await person.press("Only rows of which …");
  const selects = person.page.locator(".test select");
  for (const [column, values] of [
    ["town", ["Graz", "null"]],
    ["mark", ["x", "y"]],
  ]) {
    await selects.nth(0).selectOption(column);
    const offered = await selects.nth(2).locator("option").allInnerTexts();
    assert.deepEqual(offered.slice(1), values, column);
  }
  person.isUnharmed();
});

test("a way to the room that is cut is told in words, and the page goes on when it is mended", async () => {
  const host = await Relay.to(room.port);
  try {
    const bob = await room.connect("Bob", { port: host.port });
    const person = await Person.at(browser, bob.address);
    await person.step("agreement");
    await person.press("Accept this agreement");
    await person.page.waitForSelector(".step.upload");
    await person.step("waiting");
    await person.sees("This page follows the room by itself.");
    host.cut();
    await person.sees("The connection to the room is broken.");
    await person.sees("This is what was last heard of the room.");
    await person.sees(/broken off|not be reached|could not/);
    await person.isAccessible();
    await person.picture("waiting-broken");
    host.mend();
    await person.sees("This page follows the room by itself.");
    assert.equal(await person.page.getByText("is broken").count(), 0);
    person.isUnharmed();
  } finally {
    host.end();
  }
});

test("where the token is demanded, a page without it is told so and one with it goes on", async () => {
  const { address, origin } = await room.connect("Alice", { more: ["--token"] });
  const other = await browser.newContext();
  const page = await other.newPage();
  await page.goto(`${origin}/`);
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /token/);
  const person = await Person.at(browser, address);
  await person.step("agreement");
  await person.press("Accept this agreement");
  await person.page.waitForSelector(".step.upload");
  await person.step("waiting");
  await person.sees("Waiting for tables");
  person.isUnharmed();
});
