// Evidence: what was checked of the room before anything was sent to it.

import { html } from "./vendor/preact-htm.js";
import { post } from "./api.js";
import { grouping, time } from "./format.js";
import { Action, Scroll, Sentence, Trouble } from "./parts.js";
import { QrCode } from "./qr.js";
import { canAct, change, useAction } from "./state.js";
import { words } from "./words.js";

/** @param {{page: PageState}} props */
export function EvidenceStep({ page }) {
  const { evidence } = page;
  if (!evidence) return html`<p>${words.noEvidence}</p>`;
  return html`
    ${evidence.held ? html`<${Held} page=${page} />` : html`<${Refused} evidence=${evidence} />`}
    ${evidence.steps.length > 0 && html`<${Checks} evidence=${evidence} />`}
    ${page.room && html`<${CheckAgain} page=${page} />`}
    <${Compare} page=${page} />
  `;
}

/** @param {{page: PageState}} props */
function Held({ page }) {
  const evidence = /** @type {Evidence} */ (page.evidence);
  return html`<${NoHardware} evidence=${evidence} />
    ${evidence.hardware && html`<p class="notice good"><strong>${words.held}</strong> ${words.heldMeans}</p>`}
    <p class="next"><a class="button" href="#agreement">${words.toAgreement}</a></p>
    <p>${words.lastCheck(time(evidence.checked_at))}</p>`;
}

/** That a root was named, if so: all is worth as much as whoever has its key. @param {{evidence: Evidence | null}} props */
export function NoHardware({ evidence }) {
  return evidence?.held && !evidence.hardware && html`<p class="notice warning"><strong>${words.noHardware}</strong> ${words.noHardwareMeans}</p>`;
}

/** @param {{evidence: Evidence}} props */
function Refused({ evidence }) {
  const refusal = evidence.refusal;
  return html`<div class="notice danger" role="alert">
    <p><strong>${words.refused}</strong> ${words.refusedMeans}</p>
    ${
      refusal &&
      html`<p><${Sentence} text=${refusal.text} /></p>
      <p class="small">
        ${words.refusalDetail(refusal.check, refusal.code)} ${time(refusal.at)}
      </p>`
    }
    <p>${words.refusedDo}</p>
  </div>`;
}

/** @param {{evidence: Evidence}} props */
function Checks({ evidence }) {
  return html`<h2>${words.checks}</h2>
    <ol class="checks">
      ${evidence.steps.map(
        ({ name, text }) => html`<li>
          <span class="mark" aria-hidden="true">✓</span>
          <div>
            <p>${words.checkMeans(name)}</p>
            <details>
              <summary>${words.detail}<span class="hidden"> ${words.ofCheck(name)}</span></summary>
              <p><${Sentence} text=${text} /></p>
            </details>
          </div>
        </li>`,
      )}
    </ol>
    <p>${words.rootIs} <${Sentence} text=${evidence.root} /></p>`;
}

/** @param {{page: PageState}} props */
function CheckAgain({ page }) {
  const { busy, problem, run } = useAction();
  const check = () =>
    run(words.checking, async () =>
      change({ page: { ...page, evidence: await post("/page/api/check") } }),
    );
  return html`<p>
      <${Action} busy=${busy !== ""} disabled=${!canAct()} press=${check}>${words.checkAgain}<//>
      <span role="status" class="faint"> ${busy}</span>
    </p>
    <${Trouble} problem=${problem} />`;
}

/** What two people compare by telephone. @param {{page: PageState}} props */
function Compare({ page }) {
  const { evidence, agreement, room } = page;
  /** @type {[string, string, string, string][]} */
  const ids = [];
  const measured = evidence?.measurements ?? {};
  if (evidence && Object.keys(measured).length > 0) {
    const whole = Object.entries(measured).map(([name, value]) => `${name} ${value}`);
    ids.push([words.imageId, evidence.measurements_short, whole.join("\n"), words.imageCompare]);
  }
  if (agreement)
    ids.push([words.agreementId, agreement.short, agreement.sha384, words.agreementCompare]);
  if (room) ids.push([words.roomId, room.short, room.id, words.roomCompare]);
  if (ids.length === 0) return null;
  const text = ids.map(([name, , whole]) => `${name}: ${whole}`).join("\n");
  return html`<h2>${words.compare}</h2>
    <p>${words.compareHow}</p>
    <div class="compare">
      <${Scroll} label=${words.compare}>
        <table>
          <thead>
            <tr><th>${words.idOf}</th><th>${words.readOut}</th><th>${words.compareWith}</th></tr>
          </thead>
          <tbody>
            ${ids.map(
              ([name, short, , how]) => html`<tr>
                <th scope="row">${name}</th><td><code class="short">${short}</code></td><td>${how}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      <//>
      <${QrCode} text=${text} label=${words.qrLabel} />
    </div>
    <details>
      <summary>${words.idsInFull}</summary>
      <dl class="ids">
        ${Object.entries(measured).map(([name, value]) => Id(name, value))}
        ${agreement && Id(`${words.agreementId} (SHA-384)`, agreement.sha384)}
        ${room && Id(words.roomId, room.id)}
        ${room && Id(words.roomUrl, room.url, false)}
      </dl>
    </details>`;
}

/** @param {string} name @param {string} value */
function Id(name, value, groups = true) {
  return html`<div><dt>${name}</dt><dd><code>${groups ? grouping(value) : value}</code></dd></div>`;
}
