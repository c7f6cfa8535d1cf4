// A page of another site in the same browser can neither read nor change anything.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch, Person } from "./browser.mjs";
import { freePort, Room, RUNTIME } from "./room.mjs";

let browser;
let room;
let site;
let evil;
let target;

before(async () => {
  room = await Room.start(RUNTIME);
  target = await room.connect("Alice");
  const { port } = new URL(target.origin);
  // Both names lead to this machine: the second is a site that resolves to loopback.
  browser = await launch([
    "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1",
  ]);
  site = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>evil</title><body>");
  });
  const sitePort = await freePort();
  await new Promise((go) => site.listen(sitePort, "127.0.0.1", go));
  evil = `http://evil.example:${sitePort}`;
  target.rebound = `http://rebound.example:${port}`;
});

after(async () => {
  await browser?.close();
  site?.close();
  room?.end();
});

async function stateNow() {
  const token = /token=([0-9a-f]+)/.exec(target.address)[1];
  const reply = await fetch(`${target.origin}/page/api/state`, {
    headers: { "x-synclave-token": token },
  });
  return JSON.stringify((await reply.json()).agreement.accepted);
}

test("fetch, form, image, WebSocket and frame of another site get nothing", async () => {
  // The person has the page open, with its token, in the same browser.
  const context = await browser.newContext();
  const own = await context.newPage();
  await own.goto(target.address);
  await own.waitForSelector("h1");
  const page = await context.newPage();
  await page.goto(evil);
  const sha384 = (await (await fetch(`${target.origin}/page/api/state`)).json()).agreement.sha384;
  const tried = await page.evaluate(
    async ({ origin, sha384 }) => {
      const outcome = {};
      const read = async (name, path, options) => {
        try {
          const reply = await fetch(origin + path, options);
          outcome[name] = reply.type === "opaque" ? "opaque" : await reply.text();
        } catch {
          outcome[name] = "refused";
        }
      };
      const body = JSON.stringify({ sha384 });
      await read("state", "/page/api/state", { credentials: "include" });
      await read("page", "/");
      await read("accept", "/page/api/accept", {
        method: "POST",
        body,
        headers: { "content-type": "application/json", "x-synclave-token": "00" },
      });
      await read("accept without a question", "/page/api/accept", {
        method: "POST",
        mode: "no-cors",
        body,
      });
      await read("leave", "/page/api/leave", { method: "POST", mode: "no-cors", body: "{}" });
      await read("confirm", "/confirm_data", { method: "POST", mode: "no-cors" });
      outcome.image = await new Promise((done) => {
        const image = new Image();
        image.onload = () => done("loaded");
        image.onerror = () => done("refused");
        image.src = `${origin}/page/api/state`;
      });
      outcome.socket = await new Promise((done) => {
        const socket = new WebSocket(origin.replace("http", "ws"));
        socket.onopen = () => done("open");
        socket.onerror = () => done("refused");
      });
      const frame = document.createElement("iframe");
      frame.src = `${origin}/`;
      document.body.append(frame);
      await new Promise((done) => (frame.onload = done));
      try {
        outcome.frame = frame.contentDocument?.body?.innerText ?? "refused";
      } catch {
        outcome.frame = "refused";
      }
      return outcome;
    },
    { origin: target.origin, sha384 },
  );
  for (const [name, outcome] of Object.entries(tried)) {
    assert.ok(["refused", "opaque"].includes(outcome), `${name}: ${outcome}`);
  }
  // The frame shows the browser's own page, and none of ours.
  const [, frame] = page.frames();
  assert.equal(await frame.locator("#app").count(), 0);
  assert.equal(await stateNow(), "false");
  await context.close();
});

test("a form of another site changes nothing", async () => {
  const context = await browser.newContext();
  for (const path of ["/page/api/accept", "/page/api/leave", "/upload_data", "/confirm_data"]) {
    const page = await context.newPage();
    await page.goto(evil);
    const [reply] = await Promise.all([
      page.waitForResponse((response) => response.url() === target.origin + path),
      page.evaluate((action) => {
        const form = document.createElement("form");
        Object.assign(form, { action, method: "post", enctype: "text/plain" });
        form.innerHTML = "<input name='{\"x\":\"' value='\"}'>";
        document.body.append(form);
        form.submit();
      }, target.origin + path),
    ]);
    assert.ok(reply.status() >= 400, `${path}: ${reply.status()}`);
  }
  assert.equal(await stateNow(), "false");
  await context.close();
});

test("a name that resolves to this machine is not answered", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  for (const path of ["/", "/page/api/state", "/page/main.js", "/status"]) {
    const reply = await page.goto(target.rebound + path);
    assert.ok(reply.status() >= 400, `${path}: ${reply.status()}`);
    assert.ok(!(await reply.text()).includes("agreement_sha384"));
  }
  await context.close();
});

test("without the token the page shows everything, and acts on nothing", async () => {
  const person = await Person.at(browser, `${target.origin}/`);
  await person.sees("open the address that the terminal printed");
  await person.step("agreement");
  assert.ok(await person.page.getByRole("button", { name: "Accept this agreement" }).isDisabled());
  await person.isAccessible();
  await person.picture("without-token");
  const status = await person.page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    return (await fetch("/page/api/leave", { method: "POST", headers, body: "{}" })).status;
  });
  assert.equal(status, 403);
  person.isUnharmed();
});
