// A room and the local ports of its parties, as people start them: simulated, or the image on an
// emulated host. All listens on loopback, and ends with the test that has started it.

import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EMULATOR_TOOLS, IMAGE, PROGRAMS } from "./tools.mjs";

const PATIENCE = 60_000;
/** An emulated machine boots in half a minute, on a machine that does nothing else. */
const BOOT = 180_000;
/** All of it is on this machine, whatever proxies the environment names; and no browser is opened. */
const ENVIRONMENT = { ...process.env, NO_PROXY: "*", no_proxy: "*", BROWSER: "true" };
const PATHS = [
  "/upload_data",
  "/confirm_data",
  "/withdraw_confirmation",
  "/status",
  "/events",
  "/samples",
  "/columns",
  "/report",
  "/model",
  "/formats",
  "/details",
  "/agreement",
  "/receipt",
];

/** A port that is free now. */
export function freePort() {
  return new Promise((found, failed) => {
    const probe = createServer().once("error", failed);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });
}

/** Asks again and again, for a minute at most unless told otherwise. */
export async function until(what, ready, patience = PATIENCE) {
  const end = Date.now() + patience;
  while (Date.now() < end) {
    const result = await ready();
    if (result) return result;
    await new Promise((go) => setTimeout(go, 50));
  }
  throw new Error(`gave up waiting for ${what}`);
}

export class Room {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "synclave-page-"));
    this.running = [];
  }

  /** Keys for Alice and Bob, and a room under this runtime.yaml that waits for them. */
  static async start(runtime, { roles = "data_provider" } = {}) {
    const room = new Room();
    try {
      const keys = ["Alice", "Bob"].map((name) => room.keygen(name));
      mkdirSync(join(room.folder, "room"));
      writeFileSync(join(room.folder, "room/service.yaml"), service(keys, roles));
      writeFileSync(join(room.folder, "room/runtime.yaml"), runtime);
      room.port = await freePort();
      await (IMAGE ? room.emulate() : room.simulate());
      return room;
    } catch (error) {
      room.end();
      throw error;
    }
  }

  async simulate() {
    const enclave = this.run("synclave-enclave", [
      "--simulated",
      "--room",
      this.file("room"),
      "--listen",
      `127.0.0.1:${this.port}`,
      "--root-out",
      this.file("root.pem"),
      "--measurements-out",
      this.file("measurements.json"),
    ]);
    const isThere = () => existsSync(this.file("measurements.json")) || enclave.ended();
    await until("the enclave", isThere);
  }

  /** The host, with the image in a machine that QEMU plays and a made-up authority vouches for. */
  async emulate() {
    copyFileSync(join(IMAGE, "measurements.json"), this.file("measurements.json"));
    const host = this.run("synclave-host", [
      "--listen",
      `127.0.0.1:${this.port}`,
      "--room",
      this.file("room"),
      "--enclave",
      `unix:${this.file("enclave.sock")}`,
      "--run",
      join(PROGRAMS, "synclave-emulator"),
      "--eif",
      join(IMAGE, "synclave.eif"),
      "--tools",
      EMULATOR_TOOLS,
      "--vsock",
      this.file("enclave.sock"),
      "--root",
      this.file("root-with-key.pem"),
      "--root-out",
      this.file("root.pem"),
    ]);
    // The machine ends with the host, if that ends in order.
    host.end = () => host.child.kill("SIGTERM");
    const isThere = () => host.said().includes('"enclave_configured"') || host.ended();
    await until("the enclave on its emulated host", isThere, BOOT);
  }

  file(name) {
    return join(this.folder, name);
  }

  /** What a program prints that ends by itself. */
  once(program, args) {
    const done = spawnSync(join(PROGRAMS, program), args, {
      env: ENVIRONMENT,
      encoding: "utf8",
      timeout: PATIENCE,
    });
    if (done.status !== 0) throw new Error(`${program} ${args[0]}: ${done.stderr}`);
    return done.stdout;
  }

  /** A program that goes on until the end, with what it has said. */
  run(program, args) {
    const child = spawn(join(PROGRAMS, program), args, {
      env: ENVIRONMENT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
    const one = {
      child,
      end: () => child.kill("SIGKILL"),
      said: () => said,
      ended: () => {
        if (child.exitCode !== null) throw new Error(`${program} has ended: ${said}`);
        return false;
      },
    };
    this.running.push(one);
    return one;
  }

  keygen(name) {
    const said = this.once("synclave", ["keygen", "--key-name", name, "--output", this.folder]);
    return /MII[A-Za-z0-9+/=]{100,}/.exec(said)[0];
  }

  agreement() {
    return JSON.parse(this.once("synclave", ["validate", this.file("room"), "--json"]))
      .agreement_sha384;
  }

  /** Starts `synclave connect` for a party; returns the page's address, as the terminal printed it. */
  async connect(name, { measurements = "measurements.json", more = [], port = this.port } = {}) {
    const lport = await freePort();
    const proxy = this.run("synclave", [
      "connect",
      "--url",
      "http://127.0.0.1",
      "--port",
      String(port),
      "--lport",
      String(lport),
      "--private-key",
      this.file(`${name}_private.der`),
      "--public-key",
      this.file(`${name}_public.der`),
      "--measurements",
      this.file(measurements),
      "--dangerous-root",
      this.file("root.pem"),
      "--open",
      ...more,
    ]);
    const address = await until(`${name}'s page`, () => {
      const found = /http:\/\/localhost:\d+\/#token=[0-9a-f]+/.exec(proxy.said());
      return found?.[0] ?? proxy.ended();
    });
    return { address, origin: new URL(address).origin, proxy };
  }

  /** Measurements of another image. */
  otherMeasurements() {
    const text = readFileSync(this.file("measurements.json"), "utf8");
    writeFileSync(
      this.file("other.json"),
      text.replace(/[0-9a-f]{96}/g, (hex) => hex.replace(/^./, (c) => (c === "0" ? "1" : "0"))),
    );
    return "other.json";
  }

  end() {
    for (const one of this.running) one.end();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** A host in the middle, which leads where it wants, counts what it carries, and can be cut. */
export class Relay {
  static async to(target) {
    const relay = new Relay();
    Object.assign(relay, {
      target,
      carried: 0,
      isCut: false,
      open: new Set(),
      port: await freePort(),
    });
    relay.server = createServer((client) => relay.carry(client));
    await new Promise((go) => relay.server.listen(relay.port, "127.0.0.1", go));
    return relay;
  }

  carry(client) {
    if (this.isCut) return client.destroy();
    const enclave = connect(this.target, "127.0.0.1");
    client.on("data", (bytes) => (this.carried += bytes.length));
    client.pipe(enclave).pipe(client);
    for (const one of [client, enclave]) {
      this.open.add(one);
      one.on("error", () => (client.destroy(), enclave.destroy()));
      one.on("close", () => this.open.delete(one));
    }
  }

  cut() {
    this.isCut = true;
    for (const one of this.open) one.destroy();
  }

  mend() {
    this.isCut = false;
  }

  end() {
    this.cut();
    this.server.close();
  }
}

function service([alice, bob]) {
  const paths = PATHS.map(
    (path) => `- path: ${path}\n  access: data_provider\n  short_description: for the parties\n`,
  );
  return `auth:
- auth_name: default
  auth_type: signed_headers
meta:
  author: Page
  author_email: page@example.org
  git: https://example.org/page
  version: 0.1.0
paths:
${paths.join("")}roles:
- role_name: data_provider
  role_auth: default
  role_cardinality: 2
  role_description: uploads and downloads
traffic:
  inbound:
  - name: main_io
    port: 443
    type: tcp
  outbound: []
users:
  data_provider:
  - user_name: Alice
    public_key: ${alice}
  - user_name: Bob
    public_key: ${bob}
`;
}

/** Two small tables of the same people: the price class and doors, the value and the age. */
export function tables(rows = 1_000) {
  let state = 1;
  const dice = (sides) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % sides;
  };
  const [alice, bob] = [["id,buying,doors"], ["id,value,age"]];
  for (let id = 0; id < rows; id += 1) {
    const price = dice(4);
    alice.push(`${id},${["low", "med", "high", "vhigh"][price]},${2 + dice(4)}`);
    bob.push(`${id},${price < 2 && dice(5) > 0 ? "good" : "unacc"},${dice(20)}`);
  }
  return [alice, bob].map((lines) => `${lines.join("\n")}\n`);
}

export const RUNTIME = `method: GRAIN
epsilon: 3
party_names:
- Alice
- Bob
columns:
  Alice:
    buying: {categories: [low, med, high, vhigh]}
    doors: {integer: {min: 2, max: 5}}
  Bob:
    value: {categories: [good, unacc]}
    age: {integer: {min: 0, max: 19}}
`;
