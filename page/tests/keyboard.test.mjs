// One person goes all the way by keyboard alone.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { Room, RUNTIME, tables } from "./room.mjs";

let browser;
let room;

before(async () => {
  browser = await launch();
  room = await Room.start(RUNTIME);
  tables(200).forEach((table, i) => writeFileSync(room.file(`${i}.csv`), table));
});

after(async () => {
  await browser?.close();
  room?.end();
});

/** Presses Tab until what has the focus is called this, and sees that the focus is visible. */
async function tabTo(page, name) {
  for (let i = 0; i < 80; i += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const one = document.activeElement;
      // Between the last and the first the browser's own window has it.
      if (one === document.body) return { label: "", outline: true };
      const label =
        one?.labels?.[0]?.textContent ?? one?.getAttribute("aria-label") ?? one?.textContent ?? "";
      const style = getComputedStyle(one);
      return {
        label: label.replace(/\s+/g, " ").trim(),
        outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
      };
    });
    if (!found.label.includes(name)) continue;
    assert.ok(found.outline, `the focus on ${name} cannot be seen`);
    return;
  }
  assert.fail(`Tab does not lead to ${name}`);
}

test("from evidence to a downloaded receipt without a mouse", async () => {
  const bob = await room.connect("Bob");
  const { address } = await room.connect("Alice");
  const { page, ...alice } = await Person.at(browser, address);
  const go = async (name, key = "Enter") => {
    await tabTo(page, name);
    await page.keyboard.press(key);
  };
  // A step that is gone to has the focus at its heading.
  const stands = (step) =>
    page.waitForFunction((it) => document.activeElement?.matches(`.step.${it} h1`), step);
  await go("Go on to the agreement");
  await stands("agreement");
  await go("Accept this agreement");
  await stands("upload");
  // The browser's own dialogue is the system's; a file that it returns arrives like this. Listened
  // for early: the browser is told to leave the dialogue out, and a key could be there before that.
  const opened = page.waitForEvent("filechooser");
  await go("Drop a file here");
  const dialogue = await opened;
  await dialogue.setFiles(room.file("0.csv"));
  await page.getByText("Takes part as").waitFor();
  await go("Upload to the enclave");
  await page.getByText("200 different ids").waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "read");
  await go("I have read this", "Space");
  await go("Confirm my table");
  await page.getByText("You have confirmed your table.").waitFor();

  // The other party is a program.
  const token = /token=([0-9a-f]+)/.exec(bob.address)[1];
  const headers = {
    "x-synclave-token": token,
    origin: bob.origin,
    "content-type": "application/json",
  };
  const { sha384 } = (await (await fetch(`${bob.origin}/page/api/state`, { headers })).json())
    .agreement;
  const accepted = await fetch(`${bob.origin}/page/api/accept`, {
    method: "POST",
    headers,
    body: JSON.stringify({ sha384 }),
  });
  assert.equal(accepted.status, 204);
  const form = new FormData();
  form.append("file", new Blob([tables(200)[1]]), "bob.csv");
  const { "content-type": _, ...rest } = headers;
  assert.equal(
    (await fetch(`${bob.origin}/upload_data`, { method: "POST", headers: rest, body: form }))
      .status,
    200,
  );
  assert.equal(
    (await fetch(`${bob.origin}/confirm_data`, { method: "POST", headers: rest })).status,
    200,
  );

  await go("Waiting");
  await stands("waiting");
  await page.getByText("The model is ready.").waitFor({ timeout: 60_000 });
  await go("See the result");
  await stands("result");
  await page.waitForSelector(".step.result svg.bars");
  await go("Draw synthetic rows");
  await stands("samples");
  await page.waitForSelector("table.rows");
  await go("Only rows of which");
  // The focus goes on to what has appeared.
  await page.waitForFunction(() => document.activeElement?.matches(".test select"));
  await page.keyboard.type("Alice_b");
  await tabTo(page, "Value");
  await page.keyboard.type("low");
  await page.getByText("of the model's rows are of this kind").waitFor();
  await tabTo(page, "Download the rows");
  const [rows] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  assert.equal(await rows.failure(), null);
  await go("Receipt");
  await stands("receipt");
  await go("Verify the receipt");
  await page.getByText("The receipt holds.").waitFor();
  await tabTo(page, "Download the receipt");
  const [receipt] = await Promise.all([
    page.waitForEvent("download"),
    page.keyboard.press("Enter"),
  ]);
  assert.equal(await receipt.failure(), null);
  assert.deepEqual(alice.faults, []);
});
