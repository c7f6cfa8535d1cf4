// Receipt: what was done, vouched for by the hardware, checked by the program on this machine.

import { html, useState } from "./vendor/preact-htm.js";
import { download, post } from "./api.js";
import { NoHardware } from "./evidence.js";
import { grouping } from "./format.js";
import { Action, NotYet, Sentence, Trouble } from "./parts.js";
import { canAct, roomIsOpen, useAction, useStore } from "./state.js";
import { keptReply } from "./upload.js";
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
  const disabled = !canAct();
  return html`
    <p>
      <${Action} kind="main" busy=${!!busy} disabled=${disabled} press=${verify}>${words.verify}<//>${" "}
      <${Action} busy=${!!busy} disabled=${disabled} press=${save}>${words.downloadReceipt}<//>
    </p>
    <p role="status" class="faint">${busy}</p>
    <${Trouble} problem=${problem} />
    ${checked?.holds && html`<${NoHardware} evidence=${page.evidence} />`}
    ${checked && html`<${Checked} checked=${checked} />`}
    ${checked?.holds && html`<${OwnTable} page=${page} status=${status} checked=${checked} />`}
    <${Means} />
  `;
}

/**
 * @typedef {{holds: boolean, lines: {ok: boolean, text: string}[], about?: string[],
 *   commitments: {name: string, digest: string}[], error: string | null}} CheckedReceipt
 */

/** @param {{checked: CheckedReceipt}} props */
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
          <div><span class="hidden">${ok ? words.holds : words.notCompared}: </span><${Line} ok=${ok} text=${text} /></div>
        </li>`,
      )}
    </ul>
    <h2>${words.receiptAbout}</h2>
    <dl class="facts">${(checked.about ?? []).map(Fact)}</dl>
  </section>`;
}

/**
 * A check in plain words, where there are any, with the terminal's own line.
 * @param {{ok: boolean, text: string}} props
 */
function Line({ ok, text }) {
  const plain = ok && words.receiptChecks[text.slice(0, text.indexOf(":"))];
  if (!plain) return html`<${Sentence} text=${text} />`;
  return html`${plain}<p class="small faint"><${Sentence} text=${text} /></p>`;
}

/**
 * Whether the receipt is about the table that was uploaded here.
 * @param {{page: PageState, status: Status, checked: CheckedReceipt}} props
 */
function OwnTable({ page, status, checked }) {
  const own = status.parties.some((party) => party.name === page.me?.name);
  if (!own) return null;
  const named = checked.commitments.find((one) => one.name === page.me?.name)?.digest;
  // What this tab was told at the upload is worth more than what the room says now.
  const kept = keptReply()?.commitment.digest;
  const told = kept ?? status.you?.commitment?.digest;
  const same = named !== undefined && named === told;
  const agreed = kept ? words.commitmentSame : words.commitmentSameAsRoom;
  const judged = same ? agreed : named ? words.commitmentOther : words.commitmentNone;
  return html`<p class=${same ? "notice good" : "notice danger"}>
    ${words.ownCommitment}${" "}
    ${named && html`<code class="short">${grouping(named.slice(0, 12))}</code>`}:${" "}
    <strong>${judged}</strong>.
  </p>`;
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
