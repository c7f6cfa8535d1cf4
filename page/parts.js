// Small parts that several steps show.

import { html, useState } from "./vendor/preact-htm.js";
import { shown, shownLines } from "./format.js";
import { words } from "./words.js";

/** Longest text that a title repeats: a category may be as long as a book. */
const LONGEST_TITLE = 2_000;

/**
 * Somebody else's text: never markup, in its own direction of writing, cut by its frame, with the
 * whole in its title.
 * @param {{text: string}} props
 */
export function Foreign({ text }) {
  return html`<bdi class="foreign" title=${shown(text, LONGEST_TITLE)}>${shown(text)}</bdi>`;
}

/** A sentence of the program or the room, which may name something foreign. @param {{text: string}} props */
export function Sentence({ text }) {
  return html`<bdi class="sentence">${shown(text, LONGEST_TITLE)}</bdi>`;
}

/** What went wrong, and what to do. @param {{problem: Error | null, again?: () => void}} props */
export function Trouble({ problem, again }) {
  if (!problem) return null;
  return html`<div class="notice danger" role="alert">
    <p><strong>${words.notDone}</strong> <${Sentence} text=${problem.message} /></p>
    ${again && html`<p><button type="button" onClick=${again}>${words.tryAgain}</button></p>`}
  </div>`;
}

/** @param {{texts: string[], title?: string}} props */
export function Warnings({ texts, title = words.warnings }) {
  if (texts.length === 0) return null;
  return html`<div class="notice warning">
    <p><strong>${title}</strong></p>
    <ul>
      ${texts.map((text) => html`<li><${Sentence} text=${text} /></li>`)}
    </ul>
  </div>`;
}

/** Something to copy, with the button that copies it. @param {{text: string, label: string}} props */
export function Copyable({ text, label }) {
  const [done, setDone] = useState("");
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setDone(words.copied),
      () => setDone(words.notCopied),
    );
  return html`<div class="copyable">
    <pre tabindex="0" aria-label=${label}><code>${shownLines(text, 4_000)}</code></pre>
    <button type="button" aria-label=${words.copyOf(label)} onClick=${copy}>${words.copy}</button>
    <span role="status">${done}</span>
  </div>`;
}

/** Says that something is awaited, in words. @param {{children: any}} props */
export function Waiting({ children }) {
  return html`<p role="status" class="faint">${children}</p>`;
}

/** A region that a narrow screen scrolls sideways, with the keyboard too. @param {{label: string, children: any}} props */
export function Scroll({ label, children }) {
  return html`<div class="scroll" role="region" tabindex="0" aria-label=${label}>${children}</div>`;
}

/** A long list, of which the first are shown and then more. @param {{items: any[], most: number, show: (items: any[]) => any}} props */
export function Lazy({ items, most, show }) {
  const [count, setCount] = useState(most);
  return html`${show(items.slice(0, count))}
    ${items.length > count &&
    html`<p>
      ${words.shownOf(count, items.length)}${" "}
      <button type="button" onClick=${() => setCount(count + most)}>${words.showMore(most)}</button>
    </p>`}`;
}

/** Why a step cannot be taken yet. @param {{text: string, href: string, link: string}} props */
export function NotYet({ text, href, link }) {
  return html`<p class="notice">${text} <a href=${href}>${link}</a></p>`;
}

/** A button of what changes something, which says why it cannot be pressed. @param {{busy?: boolean, disabled?: boolean, kind?: string, press: () => void, children: any}} props */
export function Action({ busy = false, disabled = false, kind = "", press, children }) {
  return html`<button type="button" class=${kind} disabled=${busy || disabled} onClick=${press}>
    ${children}
  </button>`;
}

/** Takes what is now in an input. @param {(value: string) => void} take */
export const typed = (take) => (/** @type {any} */ event) => take(event.target.value);
