// A program that has ended, and whoever takes its port then; and how it is ended from the page.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { freePort, Room, RUNTIME, tables, until } from "./room.mjs";

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

/** Another program on a port, which answers as this one would and notes all that it is sent. */
async function impostor(port) {
  const seen = { bytes: 0, tokens: 0, asked: 0 };
  const parties = [{ name: "Alice", uploaded: false, confirmed: false, commitment: null }];
  const server = createServer((request, response) => {
    seen.asked += 1;
    if (request.headers["x-synclave-token"]) seen.tokens += 1;
    request.on("data", (bytes) => (seen.bytes += bytes.length));
    request.on("end", () => {
      response.setHeader("content-type", "application/json");
      const proof = "ab".repeat(32);
      response.end(JSON.stringify({ status: "awaiting_data", parties, proof, url: "/page/download/0" }));
    });
  });
  await new Promise((go, no) => server.on("error", no).listen(port, "127.0.0.1", go));
  return { seen, server };
}

test("when the program has ended every step says so, and whoever takes its port is sent nothing", async () => {
  const { address, origin, proxy } = await room.connect("Alice");
  const person = await Person.at(browser, address);
  const { page } = person;
  await person.step("agreement");
  await person.press("Accept this agreement");
  await page.setInputFiles("#table", room.file("0.csv"));
  const send = page.getByRole("button", { name: "Upload to the enclave" });
  await page.waitForFunction(() => document.querySelector("button.main:not(:disabled)"));
  proxy.end();
  await person.sees("The program on this machine has ended or cannot be reached.");
  assert.ok(await send.isDisabled());
  await person.isAccessible();
  await person.picture("program-ended");
  for (const step of ["evidence", "agreement", "waiting", "upload"]) {
    await person.step(step);
    await person.sees("The program on this machine has ended or cannot be reached.");
  }
  await page.setInputFiles("#table", room.file("0.csv"));
  const { seen, server } = await impostor(Number(new URL(origin).port));
  try {
    await person.press("Try now");
    await person.sees("Another program answers at this address.");
    assert.ok(await send.isDisabled());
    // What the page's buttons do, had somebody pressed one in that moment.
    const said = await page.evaluate(async () => {
      const { download, get, post, upload } = await import("/page/api.js");
      const table = new File(["id,a\n1,secret\n"], "t.csv");
      const all = [
        upload(table, () => {}).done,
        post("/confirm_data"),
        post("/page/api/accept", { sha384: "00" }),
        download("/samples"),
        get("/status"),
      ];
      return (await Promise.allSettled(all)).map((one) => one.reason?.code ?? "sent");
    });
    assert.deepEqual(said, Array(5).fill("another-program"));
    assert.ok(seen.asked >= 5, JSON.stringify(seen));
    assert.deepEqual([seen.bytes, seen.tokens], [0, 0]);
    person.isUnharmed();
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test("the program is ended from every step, after a question: accepted, refused, and a model's file", async () => {
  const fresh = await room.connect("Alice");
  const refused = await room.connect("Alice", { measurements: room.otherMeasurements() });
  room.once("synclave", [
    ...["synth", room.file("0.csv"), "--key", "id", "--epsilon", "2"],
    ...["--model", room.file("table.model"), "--output", room.file("rows.csv")],
  ]);
  const lport = await freePort();
  const viewer = room.run("synclave", ["view", room.file("table.model"), "--lport", String(lport)]);
  const address = await until("the page", () => {
    return /http:\/\/localhost:\d+\/#token=[0-9a-f]+/.exec(viewer.said())?.[0] ?? viewer.ended();
  });
  for (const [name, one] of Object.entries({
    accepted: fresh,
    refused,
    model: { address, proxy: viewer },
  })) {
    const person = await Person.at(browser, one.address);
    if (name === "accepted") {
      await person.step("agreement");
      await person.press("Accept this agreement");
      await person.page.waitForSelector(".step.upload");
    }
    await person.press("End this program");
    await person.press("Stay");
    await person.press("End this program");
    await person.isAccessible();
    await person.press("End it now");
    await person.sees("You have ended it");
    await until("its end", () => one.proxy.child.exitCode !== null);
    person.isUnharmed();
  }
  const stranger = await room.connect("Bob");
  const person = await Person.at(browser, `${stranger.origin}/`);
  assert.equal(await person.page.getByRole("button", { name: "End this program" }).count(), 0);
});
