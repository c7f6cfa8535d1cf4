// Evidence that does not hold: what the page shows, and that nothing of a table leaves.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { Relay, Room, RUNTIME } from "./room.mjs";

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

test("another image is refused from the start: the page says what, and has nothing to act on", async () => {
  const { address } = await room.connect("Alice", { measurements: room.otherMeasurements() });
  const person = await Person.at(browser, address);
  await person.sees("The evidence was refused.");
  await person.sees("Nothing of yours was sent, and nothing will be.");
  await person.isAccessible();
  await person.picture("refused-image");
  await person.step("agreement");
  assert.equal(await person.page.getByRole("button", { name: "Accept" }).count(), 0);
  await person.step("upload");
  assert.equal(await person.page.locator("#table").count(), 0);
  for (const step of ["agreement", "upload", "waiting", "result"]) {
    await person.step(step);
    await person.sees("there is nothing to do here");
    assert.equal(await person.page.getByText("Go on to the agreement").count(), 0, step);
  }
  const status = await person.page.evaluate(async () => {
    const form = new FormData();
    form.append("file", new Blob(["id,a\n1,secret\n"]), "t.csv");
    const token = sessionStorage.getItem("synclave-token");
    return (
      await fetch("/upload_data", {
        method: "POST",
        body: form,
        headers: { "x-synclave-token": token },
      })
    ).status;
  });
  assert.ok(status >= 400, `the upload was answered with ${status}`);
  person.isUnharmed();
});

test("that no hardware vouches is said where a root was named, and not under AWS's own", async () => {
  const { address } = await room.connect("Alice");
  const person = await Person.at(browser, address);
  await person.sees("All checks hold, but no hardware vouches for this room.");
  await person.sees("send made-up tables only");
  // The program as it is where it trusts AWS's root, of which there is no evidence here.
  await person.page.route("**/page/api/state", async (route) => {
    const state = await (await route.fetch()).json();
    assert.equal(state.evidence.hardware, false);
    await route.fulfill({ json: { ...state, evidence: { ...state.evidence, hardware: true } } });
  });
  await person.page.reload();
  await person.sees("The evidence holds.");
  for (const step of ["evidence", "agreement"]) {
    await person.step(step);
    assert.equal(await person.page.getByText("no hardware vouches for this room").count(), 0, step);
  }
  person.isUnharmed();
});

test("a room that is replaced later is refused by the next check, and no byte of a table leaves", async () => {
  const other = await Room.start(RUNTIME);
  const host = await Relay.to(room.port);
  try {
    const { address } = await room.connect("Alice", { port: host.port });
    const person = await Person.at(browser, address);
    await person.sees("All checks hold");
    host.target = other.port;
    await person.press("Check again now");
    await person.sees("The evidence was refused.");
    await person.picture("refused-later");
    const before = host.carried;
    const status = await person.page.evaluate(async () => {
      const form = new FormData();
      form.append("file", new Blob([`id,a\n${"1,secret\n".repeat(200_000)}`]), "t.csv");
      const token = sessionStorage.getItem("synclave-token");
      return (
        await fetch("/upload_data", {
          method: "POST",
          body: form,
          headers: { "x-synclave-token": token },
        })
      ).status;
    });
    assert.ok(status >= 400, `the upload was answered with ${status}`);
    // At most another handshake, and nothing of two megabytes.
    assert.ok(host.carried - before < 20_000, `${host.carried - before} bytes were carried`);
    person.isUnharmed();
  } finally {
    host.end();
    other.end();
  }
});
