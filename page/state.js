// What the page knows, in one place, and how it is kept fresh.

import { useEffect, useState } from "./vendor/preact-htm.js";
import { events, get, hasToken, post, Problem } from "./api.js";

/** @type {Store} */
let current = { page: null, status: null, problem: null, live: null, sending: null, ended: false };

/** @type {Set<() => void>} */
const watchers = new Set();

/** @param {Partial<typeof current>} change */
export function change(change) {
  current = { ...current, ...change };
  for (const watcher of watchers) watcher();
}

/** The state now, of a component that is drawn again whenever it changes. */
export function useStore() {
  const [, redraw] = useState(0);
  const seen = current;
  useEffect(() => {
    const watcher = () => redraw((/** @type {number} */ n) => n + 1);
    watchers.add(watcher);
    // An effect runs after the paint, and an answer may have come before.
    if (seen !== current) watcher();
    return () => void watchers.delete(watcher);
  }, []);
  return current;
}

/** Asks the program what it has checked. */
export async function loadPage() {
  try {
    change({ page: await get("/page/api/state"), problem: null });
  } catch (error) {
    change({ problem: asProblem(error) });
  }
  follow();
}

/** Asks the room how far it is. */
export async function loadStatus() {
  change({ status: await get("/status") });
}

/** Whether a person may act here: with the token, and while the program answers. */
export function canAct() {
  return hasToken() && !current.live && !current.ended;
}

/** Ends the program on this machine. */
export async function endProgram() {
  await post("/page/api/leave");
  change({ ended: true });
}

/** Whether the room may be asked: the evidence holds and the agreement is accepted. */
export function roomIsOpen() {
  const { page, ended } = current;
  return !ended && page?.mode === "room" && !!page.evidence?.held && !!page.agreement?.accepted;
}

const FINAL = ["trained", "failed", "expired"];
const LONGEST_WAIT = 30_000;
/** Events come when something changes, which may take days; a proxy may drop a silent stream. */
const SILENCE = 60_000;
/** @type {AbortController | null} */
let following = null;

/**
 * A browser has six connections to an address for all its tabs, and a stream of events keeps one: in
 * a seventh tab nothing would load any more. So one tab reads the stream and tells the others, and
 * another does when it is closed, or its turn is over.
 * @param {AbortSignal} signal @param {() => Promise<void>} read
 */
function inOneTab(signal, read) {
  // Browsers that take localhost for insecure have no locks.
  return navigator.locks ? navigator.locks.request("synclave-events", { signal }, read) : read();
}

const tabs = new BroadcastChannel("synclave-status");
tabs.onmessage = () => roomIsOpen() && loadStatus().catch(() => {});

/** Follows the room's events until nothing more will change, across broken connections. */
async function follow() {
  if (following || !roomIsOpen()) return;
  let wait = 1_000;
  while (roomIsOpen() && !FINAL.includes(current.status?.status ?? "")) {
    following = new AbortController();
    const { signal } = following;
    const silence = setTimeout(() => following?.abort(), SILENCE);
    try {
      await loadStatus();
      wait = 1_000;
      change({ live: null });
      await inOneTab(signal, () => events(signal, (status) => {
        const before = current.status;
        change({ status: { ...status, you: before?.you } });
        tabs.postMessage("changed");
        // What only the owner is told is not in the events.
        loadStatus().catch(() => {});
      }));
      await loadStatus();
      // The stream was closed without an end: not asked again at once.
      await pause(1_000);
    } catch (error) {
      if (!signal.aborted) {
        change({ live: { broken: asProblem(error), retryAt: Date.now() + wait } });
        await pause(wait);
        wait = Math.min(2 * wait, LONGEST_WAIT);
      }
    } finally {
      clearTimeout(silence);
    }
  }
  following = null;
}

/** @type {(() => void) | null} */
let wake = null;

/** @param {number} wait */
function pause(wait) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, wait);
    wake = () => (clearTimeout(timer), resolve(undefined));
  });
}

/** Does not wait for the next attempt. */
export function tryNow() {
  wake?.();
}

/** @param {unknown} error */
export function asProblem(error) {
  return error instanceof Problem ? error : new Problem(String(error), "page");
}

/**
 * What a request gave: its value, what went wrong, or nothing yet; asked again by `again`.
 * @template T @param {() => Promise<T>} ask
 * @returns {{value: T | null, problem: Problem | null, again: () => void}}
 */
export function useRequest(ask) {
  const [turn, setTurn] = useState(0);
  const [value, setValue] = useState(/** @type {T | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  useEffect(() => {
    let wanted = true;
    setProblem(null);
    ask().then(
      (value) => wanted && setValue(() => value),
      (error) => wanted && setProblem(asProblem(error)),
    );
    return () => {
      wanted = false;
    };
  }, [turn]);
  return { value, problem, again: () => setTurn(turn + 1) };
}

/**
 * What a button does: what is said meanwhile, and what went wrong.
 * @returns {{busy: string, problem: Problem | null, run: (busy: string, act: () => Promise<unknown>) => Promise<void>}}
 */
export function useAction() {
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  /** @param {string} said @param {() => Promise<unknown>} act */
  const run = async (said, act) => {
    setBusy(said);
    setProblem(null);
    try {
      await act();
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy("");
  };
  return { busy, problem, run };
}
