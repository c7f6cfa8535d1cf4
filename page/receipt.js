// Receipt: what was done, vouched for by the hardware, checked by the program on this machine.

import { html, useState } from "./vendor/preact-htm.js";
import { download, hasToken, post } from "./api.js";
import { NoHardware } from "./evidence.js";
import { Action, NotYet, Sentence, Trouble } from "./parts.js";
import { roomIsOpen, useAction, useStore } from "./state.js";
import { words } from "./words.js";

/** @param {{page: PageState}} props */
export function ReceiptStep({ page }) {
  const { status } = useStore();
  const { busy, problem, run } = useAction();
  const [checked, setChecked] = useState(/** @type {any} */ (null));
  if (!roomIsOpen() || status?.status !== "trained") {
    return html`<${NotYet} text=${words.receiptLater} href="#waiting" link=${words.toWaiting} />
      <${Means} />`;
  }
  const verify = () => run(words.verifying, async () => setChecked(await post("/page/api/receipt")));
  const save = () => run(words.downloading, () => download("/receipt"));
  const disabled = !hasToken();
  return html`
    <p>
      <${Action} kind="main" busy=${!!busy} disabled=${disabled} press=${verify}>${words.verify}<//>${" "}
      <${Action} busy=${!!busy} disabled=${disabled} press=${save}>${words.downloadReceipt}<//>
    </p>
    <p role="status" class="faint">${busy}</p>
    <${Trouble} problem=${problem} />
    ${checked && html`<${Checked} checked=${checked} />`}
    ${checked?.holds && html`<${NoHardware} evidence=${page.evidence} />`}
    <${Means} />
  `;
}

/** @param {{checked: {holds: boolean, lines: {ok: boolean, text: string}[], about?: string[], error: string | null}}} props */
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
          <span class="mark" aria-hidden="true">${ok ? "✓" : "–"}</span>
          <span><span class="hidden">${ok ? words.holds : words.notCompared}: </span><${Sentence} text=${text} /></span>
        </li>`,
      )}
    </ul>
    <h2>${words.receiptAbout}</h2>
    <dl class="facts">${(checked.about ?? []).map(Fact)}</dl>
  </section>`;
}

/** A line of the terminal: a word, blanks, and what there is to say. @param {string} line */
function Fact(line) {
  const [, name, text] = /^(.*?) {2,}(.*)$/s.exec(line) ?? [line, "", line];
  return html`<div><dt>${name}</dt><dd><${Sentence} text=${text} /></dd></div>`;
}

function Means() {
  return html`<h2>${words.receiptMeansTitle}</h2>
    <ul>
      ${words.receiptMeans.map((text) => html`<li>${text}</li>`)}
    </ul>
    <p>${words.receiptLater2}</p>`;
}
