// Pages that are left, loaded anew, and open many times.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { Room, RUNTIME, tables } from "./room.mjs";

let browser;
let room;
let alice;

before(async () => {
  browser = await launch();
  room = await Room.start(RUNTIME);
  writeFileSync(room.file("0.csv"), tables()[0]);
  const { address } = await room.connect("Alice");
  alice = await Person.at(browser, address);
  await alice.step("agreement");
  await alice.press("Accept this agreement");
  await alice.page.setInputFiles("#table", room.file("0.csv"));
});

after(async () => {
  await browser?.close();
  room?.end();
});

/** Keeps requests back until it is told to let them go. */
async function heldBack(page, address) {
  let letGo;
  const held = new Promise((go) => (letGo = go));
  await page.route(address, async (route) => {
    await held;
    // Of a page that is gone by then there is nothing to go on with.
    await route.continue().catch(() => {});
  });
  return async () => {
    letGo();
    await page.unroute(address);
  };
}

test("while a table is sent the page asks before it is left, and another step may be looked at", async () => {
  const { page } = alice;
  const letGo = await heldBack(page, "**/upload_data");
  await alice.press("Upload to the enclave");
  await alice.sees("are sent");
  await alice.step("waiting");
  await alice.step("upload");
  await alice.sees("are sent");
  assert.ok(await page.getByRole("button", { name: "Upload to the enclave" }).isDisabled());
  await page.reload({ timeout: 5_000 }).catch(() => {});
  assert.deepEqual(alice.faults.splice(0), ["dialog: beforeunload"]);
  await page.getByRole("button", { name: "Cancel" }).click();
  await alice.sees("You cancelled the upload");
  await letGo();
});

// It asked until the room's state was there as well: a question that a person has no answer to.
test("a page whose table the room has taken is left without a question", async () => {
  const { page } = alice;
  const replied = page.waitForResponse("**/upload_data");
  const letGo = await heldBack(page, "**/status");
  await alice.press("Upload to the enclave");
  await (await replied).finished();
  await page.waitForFunction(() => sessionStorage.getItem("synclave-upload") !== null);
  await page.reload();
  await letGo();
  await alice.sees("1000 different ids");
  alice.isUnharmed();
});

test("what was said of a table does not hold of the one that replaces it", async () => {
  const { page } = alice;
  const box = page.getByLabel("I have read this");
  await box.check();
  await page.setInputFiles("#table", room.file("0.csv"));
  await alice.press("Replace my table");
  await alice.sees("A table has changed since you said so");
  assert.equal(await box.isChecked(), false);
  assert.ok(await page.getByRole("button", { name: "Confirm my table" }).isDisabled());
});

// A browser has six connections to an address: streams of six tabs would leave none for a seventh.
test("a page that is open nine times is there in every tab, and follows the room in every tab", async () => {
  const tabs = [alice.page];
  for (let i = 1; i < 9; i += 1) {
    const tab = await alice.context.newPage();
    tabs.push(tab);
    await tab.goto(`${alice.origin}/#waiting`, { timeout: 20_000 });
    await tab.getByText("Waiting for tables").waitFor({ timeout: 20_000 });
  }
  // The first is the one that follows; another one has to.
  const told = (text) =>
    Promise.all(tabs.map((tab) => tab.locator("table", { hasText: text }).waitFor()));
  await alice.step("waiting");
  await told("not yet");
  await alice.page.close();
  tabs.shift();
  const [reader] = tabs;
  await reader.locator('.steps a[href="#upload"]').click();
  await reader.getByLabel("I have read this").check();
  const { address } = await room.connect("Bob");
  const bob = await Person.at(browser, address);
  writeFileSync(room.file("1.csv"), tables()[1]);
  await bob.step("agreement");
  await bob.press("Accept this agreement");
  await bob.page.setInputFiles("#table", room.file("1.csv"));
  await bob.press("Upload to the enclave");
  // That holds of the others' tables as well.
  await reader.getByText("A table has changed since you said so").waitFor();
  assert.equal(await reader.getByLabel("I have read this").isChecked(), false);
  await reader.locator('.steps a[href="#waiting"]').click();
  const all = tabs.map((tab) => tab.getByText("All have uploaded.").waitFor({ timeout: 20_000 }));
  await Promise.all(all);
  alice.isUnharmed();
});
