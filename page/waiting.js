// Waiting: who has uploaded and confirmed, and how far training is.

import { html } from "./vendor/preact-htm.js";
import { grouping } from "./format.js";
import { Foreign, NotYet, Scroll, Sentence } from "./parts.js";
import { roomIsOpen, useStore } from "./state.js";
import { words } from "./words.js";

/** @param {{page: PageState}} props */
export function WaitingStep({ page }) {
  const { status, live } = useStore();
  if (!roomIsOpen()) {
    return html`<${NotYet} text=${words.waitingLater} href="#agreement" link=${words.toAgreement} />`;
  }
  return html`
    ${!status && !live && html`<p role="status" class="faint">${words.askingRoom}</p>`}
    ${status && html`<${Progress} page=${page} status=${status} fresh=${!live} />`}
  `;
}

/** @param {{page: PageState, status: Status, fresh: boolean}} props */
function Progress({ page, status, fresh }) {
  const tests = status.row_tests;
  return html`
    <p class="lead" role="status">${words.phases[status.status]}</p>
    ${status.status === "trained" &&
    html`${status.you?.joined && html`<p><${Sentence} text=${status.you.joined.in_words} /></p>`}
      <p class="next"><a class="button" href="#result">${words.toResult}</a></p>`}
    ${status.progress && html`<${Stage} progress=${status.progress} />`}
    ${tests && tests.made > 0 && html`<p class="notice">${words.rowTests(tests.made, tests.left)}
        ${tests.guarantee && html` <${Sentence} text=${tests.guarantee} />`}</p>`}
    <h2>${words.parties}</h2>
    <${Scroll} label=${words.parties}>
      <table>
        <thead>
          <tr><th>${words.party}</th><th>${words.tableColumn}</th><th>${words.confirmation}</th><th>${words.commitment}</th></tr>
        </thead>
        <tbody>
          ${status.parties.map(
            (party) => html`<tr>
              <th scope="row"><${Foreign} text=${party.name} />${party.name === page.me?.name && ` (${words.you})`}</th>
              <td><${Mark} done=${party.uploaded} yes=${words.uploaded} no=${words.notUploaded} /></td>
              <td><${Mark} done=${party.confirmed} yes=${words.hasConfirmed} no=${words.notConfirmed} /></td>
              <td>${party.commitment && html`<code class="short">${grouping(party.commitment.slice(0, 12))}</code>`}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    <//>
    <p class="faint">${words.commitmentMeans}</p>
    <p class="faint">${fresh ? words.fresh : words.notFresh} ${words.mayClose}</p>
  `;
}

/** @param {{done: boolean, yes: string, no: string}} props */
function Mark({ done, yes, no }) {
  return html`<span class=${done ? "yes" : "no"}><span aria-hidden="true">${done ? "✓" : "–"}</span> ${done ? yes : no}</span>`;
}

/** @param {{progress: {stage: string, tenths: number}}} props */
function Stage({ progress }) {
  return html`<div class="stage">
    <p>${words.stage} <${Sentence} text=${progress.stage} /> (${progress.tenths * 10} %)</p>
    <progress aria-label=${words.stageLabel} max="10" value=${progress.tenths}></progress>
  </div>`;
}
