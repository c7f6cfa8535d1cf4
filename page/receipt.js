// Receipt: what was done, vouched for by the hardware, checked by the program on this machine.

import { html, useState } from "./vendor/preact-htm.js";
import { download, hasToken, post } from "./api.js";
import { Action, NotYet, Sentence, Trouble } from "./parts.js";
import { asProblem, roomIsOpen, useStore } from "./state.js";
import { words } from "./words.js";

export function ReceiptStep() {
  const { status } = useStore();
  const [state, setState] = useState({ busy: "", problem: null, checked: null });
  if (!roomIsOpen() || status?.status !== "trained") {
    return html`<${NotYet} text=${words.receiptLater} href="#waiting" link=${words.toWaiting} />
      <${Means} />`;
  }
  /** @param {string} busy @param {() => Promise<any>} act */
  const run = async (busy, act) => {
    setState({ ...state, busy, problem: null });
    try {
      const checked = await act();
      setState({ busy: "", problem: null, checked: checked ?? state.checked });
    } catch (error) {
      setState({ ...state, busy: "", problem: asProblem(error) });
    }
  };
  const verify = () => run(words.verifying, () => post("/page/api/receipt"));
  const save = () => run(words.downloading, () => download("/receipt"));
  const disabled = !hasToken();
  return html`
    <p>
      <${Action} kind="main" busy=${!!state.busy} disabled=${disabled} press=${verify}>${words.verify}<//>${" "}
      <${Action} busy=${!!state.busy} disabled=${disabled} press=${save}>${words.downloadReceipt}<//>
    </p>
    <p role="status" class="faint">${state.busy}</p>
    <${Trouble} problem=${state.problem} />
    ${state.checked && html`<${Checked} checked=${state.checked} />`}
    <${Means} />
  `;
}

/** @param {{checked: {holds: boolean, lines: {ok: boolean, text: string}[], error: string | null}}} props */
function Checked({ checked }) {
  return html`<section aria-label=${words.verified} role="status">
    ${checked.holds
      ? html`<p class="notice good"><strong>${words.receiptHolds}</strong> ${words.receiptHoldsMeans}</p>`
      : html`<p class="notice danger">
          <strong>${words.receiptFails}</strong> ${checked.error && html`<${Sentence} text=${checked.error} />`}
        </p>`}
    <ul class="checks">
      ${checked.lines.map(
        ({ ok, text }) => html`<li class=${ok ? "yes" : "no"}>
          <span class="mark" aria-hidden="true">${ok ? "✓" : "✗"}</span>
          <span><span class="hidden">${ok ? words.holds : words.doesNotHold}: </span><${Sentence} text=${text} /></span>
        </li>`,
      )}
    </ul>
  </section>`;
}

function Means() {
  return html`<h2>${words.receiptMeansTitle}</h2>
    <ul>
      ${words.receiptMeans.map((text) => html`<li>${text}</li>`)}
    </ul>
    <p>${words.receiptLater2}</p>`;
}
