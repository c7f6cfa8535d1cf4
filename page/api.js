// The program on this machine, as the page talks to it: one header, one form of error.

import { words } from "./words.js";

const TOKEN = "synclave-token";

/** What was answered instead of what was asked for: a sentence for a person, and its code. */
export class Problem extends Error {
  /** @param {string} detail @param {string} code */
  constructor(detail, code) {
    super(detail);
    this.code = code;
  }
}

/**
 * Takes the token out of the address that the terminal printed, so that it is neither shown nor
 * kept in the browser's history. It lives as long as this tab.
 */
export function takeToken() {
  const given = /[#&]token=([0-9a-fA-F]+)/.exec(location.hash);
  if (given) {
    sessionStorage.setItem(TOKEN, /** @type {string} */ (given[1]));
    history.replaceState(null, "", location.pathname + location.search);
  }
}

/** Whether this tab was opened by the address that the terminal printed. */
export function hasToken() {
  return sessionStorage.getItem(TOKEN) !== null;
}

/**
 * The header with the token, once what answers here has proved that it is the program which gave
 * it: when that has ended, any program of this machine can take the port, and would be sent the
 * token and a table. Asked each time, as it may end at any time.
 * @param {AbortSignal} [signal] @returns {Promise<Record<string, string>>}
 */
async function provenHeaders(signal) {
  const token = sessionStorage.getItem(TOKEN);
  if (token === null) return {};
  // Browsers that take this address for insecure.
  if (!crypto.subtle) throw new Problem(words.noProofHere, "no-proof");
  const nonce = hex(crypto.getRandomValues(new Uint8Array(32)));
  const response = await ask(`/page/api/proof?nonce=${nonce}`, signal ? { signal } : {});
  const { proof } = await response.json().catch(() => ({}));
  const bytes = new TextEncoder();
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes.encode(token), hmac, false, ["sign"]);
  const expected = hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes.encode(nonce))));
  if (proof !== expected) throw new Problem(words.anotherProgram, "another-program");
  return { "x-synclave-token": token };
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} path @param {RequestInit} options */
async function ask(path, options) {
  try {
    return await fetch(path, { ...options, redirect: "error", cache: "no-store" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(words.noProgram, "no-program");
  }
}

/**
 * Sends a request, and throws a Problem for every answer but a good one.
 * @param {string} path @param {RequestInit} [options]
 */
export async function send(path, options = {}) {
  const proven = await provenHeaders(options.signal ?? undefined);
  const headers = { ...proven, .../** @type {object} */ (options.headers) };
  const response = await ask(path, { ...options, headers });
  if (!response.ok) throw problem(response.status, await response.text().catch(() => ""));
  return response;
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function get(path, signal) {
  return (await send(path, signal ? { signal } : {})).json();
}

/** @param {string} path @param {object} [body] @returns {Promise<any>} */
export async function post(path, body = {}) {
  const response = await send(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}

/** @param {number} status @param {string} text */
function problem(status, text) {
  try {
    const { detail, code } = JSON.parse(text);
    if (typeof detail === "string") return new Problem(detail, String(code));
  } catch {
    // Not in the form of a problem: an intermediary's page, say, which is never shown.
  }
  return new Problem(words.unexpectedAnswer(status), "unexpected-answer");
}

/**
 * Uploads a file, which the browser reads in pieces from the disk. XMLHttpRequest, as `fetch` does
 * not tell how much was sent.
 * @param {File} file @param {(sent: number, all: number) => void} progress
 * @returns {{done: Promise<any>, cancel: () => void}}
 */
export function upload(file, progress) {
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append("file", file);
  let cancelled = false;
  const sent = () => new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => progress(event.loaded, event.total);
    request.onerror = () => reject(new Problem(words.uploadBroke, "no-program"));
    request.onabort = () => reject(new Problem(words.uploadCancelled, "cancelled"));
    request.onload = () => {
      if (request.status !== 200) reject(problem(request.status, request.responseText));
      else resolve(JSON.parse(request.responseText));
    };
    request.send(form);
  });
  const start = async () => {
    const headers = await provenHeaders();
    if (cancelled) throw new Problem(words.uploadCancelled, "cancelled");
    request.open("POST", "/upload_data");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    return sent();
  };
  const cancel = () => {
    cancelled = true;
    request.abort();
  };
  return { done: start(), cancel };
}

/**
 * The room's server-sent events. EventSource cannot send the token's header, so they are read from
 * the body of an ordinary reply.
 * @param {AbortSignal} signal @param {(status: any) => void} receive
 */
export async function events(signal, receive) {
  const response = await send("/events", { signal });
  const reader = /** @type {ReadableStream<any>} */ (response.body)
    .pipeThrough(new TextDecoderStream())
    .getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw signal.aborted ? error : new Problem(words.streamBroke, "stream-broke");
    });
    if (done) return;
    const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length > 0) receive(JSON.parse(data.map((line) => line.slice(5)).join("\n")));
    }
  }
}

/**
 * Lets the browser save what the room answers, once the room has not refused it. The address works
 * once, so that the token need not stand in it.
 * @param {string} path
 */
export async function download(path) {
  const { url } = await post("/page/api/download", { path });
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}
