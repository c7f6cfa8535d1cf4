// Evidence that does not hold: what the page shows, and that nothing of a table leaves.

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { freePort, Room, RUNTIME } from "./room.mjs";

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
  const status = await person.page.evaluate(async () => {
    const form = new FormData();
    form.append("file", new Blob(["id,a\n1,secret\n"]), "t.csv");
    const token = sessionStorage.getItem("synclave-token");
    return (await fetch("/upload_data", { method: "POST", body: form, headers: { "x-synclave-token": token } })).status;
  });
  assert.ok(status >= 400, `the upload was answered with ${status}`);
  person.isUnharmed();
});

test("a room that is replaced later is refused by the next check, and no byte of a table leaves", async () => {
  // A host in the middle, which leads to another enclave from some moment on.
  const other = await Room.start(RUNTIME);
  const port = await freePort();
  let target = room.port;
  let carried = 0;
  const host = createServer((client) => {
    const enclave = connect(target, "127.0.0.1");
    client.on("data", (bytes) => (carried += bytes.length));
    client.pipe(enclave).pipe(client);
    for (const one of [client, enclave]) one.on("error", () => (client.destroy(), enclave.destroy()));
  });
  await new Promise((go) => host.listen(port, "127.0.0.1", go));
  try {
    const { address } = await room.connect("Alice", { port });
    const person = await Person.at(browser, address);
    await person.sees("The evidence holds.");
    target = other.port;
    await person.press("Check again now");
    await person.sees("The evidence was refused.");
    await person.picture("refused-later");
    const before = carried;
    const status = await person.page.evaluate(async () => {
      const form = new FormData();
      form.append("file", new Blob([`id,a\n${"1,secret\n".repeat(200_000)}`]), "t.csv");
      const token = sessionStorage.getItem("synclave-token");
      return (await fetch("/upload_data", { method: "POST", body: form, headers: { "x-synclave-token": token } })).status;
    });
    assert.ok(status >= 400, `the upload was answered with ${status}`);
    // At most another handshake, and nothing of two megabytes.
    assert.ok(carried - before < 20_000, `${carried - before} bytes were carried`);
    person.isUnharmed();
  } finally {
    host.close();
    other.end();
  }
});
