// Agreement: what will be computed, between whom, at what budget; accept or leave.

import { html, useState } from "./vendor/preact-htm.js";
import { post } from "./api.js";
import { NoHardware } from "./evidence.js";
import { grouped, grouping, shown, shownLines } from "./format.js";
import { Action, Foreign, Lazy, NotYet, Scroll, Sentence, Trouble, Warnings } from "./parts.js";
import { canAct, endProgram, loadPage, useAction } from "./state.js";
import { words } from "./words.js";

/** @param {{page: PageState}} props */
export function AgreementStep({ page }) {
  const { agreement } = page;
  if (!agreement) return html`<${NotYet} text=${words.noAgreement} href="#evidence" link=${words.toEvidence} />`;
  const { summary } = agreement;
  return html`
    <${Decision} page=${page} agreement=${agreement} />
    <${Warnings} texts=${agreement.warnings} />
    <h2>${words.promise}</h2>
    ${summary.dangerous && html`<p class="notice danger"><strong>${words.dangerous}</strong></p>`}
    <p class="lead"><${Sentence} text=${agreement.odds} /></p>
    <p><${Sentence} text=${summary.guarantee.changing} /></p>
    <p><${Sentence} text=${summary.guarantee.rows} /></p>
    <p class="faint">${words.budget(summary.epsilon, summary.delta)}</p>
    <h2>${words.computed}</h2>
    <p>${words.computedHow(shown(summary.method))} <${Foreign} text=${summary.key} />.</p>
    <${Facts} summary=${summary} />
    <h2>${words.between}</h2>
    <${Users} page=${page} summary=${summary} />
    <h2>${words.tables}</h2>
    ${summary.parties.map((party) => html`<${Party} party=${party} page=${page} />`)}
    <h2>${words.leaves}</h2>
    <${Releases} summary=${summary} />
    <h2>${words.files}</h2>
    <p>${words.filesMean} <code class="short">${agreement.short}</code></p>
    <${File} name="service.yaml" text=${agreement.service_yaml} />
    <${File} name="runtime.yaml" text=${agreement.runtime_yaml} />
    <${File} name=${words.asTerminal} text=${agreement.text.join("\n")} />
  `;
}

/** @param {{page: PageState, agreement: Agreement}} props */
function Decision({ page, agreement }) {
  const { busy, problem, run } = useAction();
  const [leaving, setLeaving] = useState(false);
  if (agreement.accepted) {
    return html`<p class="notice good">
        <strong>${words.accepted}</strong> ${words.acceptedBy(agreement.accepted_by)}
      </p>
      <p class="next"><a class="button" href="#upload">${words.toUpload}</a></p>`;
  }
  const accept = () =>
    run(words.accepting, async () => {
      // By its hash: what is accepted is what this page showed.
      await post("/page/api/accept", { sha384: agreement.sha384 });
      await loadPage();
      location.hash = "#upload";
    });
  const leave = () =>
    run(words.leaving, endProgram);
  const disabled = !canAct();
  return html`<section class="decision" aria-label=${words.decision}>
    <p>${words.decide}</p>
    <${NoHardware} evidence=${page.evidence} />
    ${leaving
      ? html`<p>
          ${words.leaveMeans}${" "}
          <${Action} busy=${busy !== ""} disabled=${disabled} kind="serious" press=${leave}>
            ${words.leaveReally}
          <//>${" "}
          <button type="button" onClick=${() => setLeaving(false)}>${words.stay}</button>
        </p>`
      : html`<p>
          <${Action} busy=${busy !== ""} disabled=${disabled} kind="main" press=${accept}>
            ${words.accept}
          <//>${" "}
          <${Action} disabled=${disabled} press=${() => setLeaving(true)}>${words.leave}<//>
        </p>`}
    <p role="status" class="faint">${busy}</p>
    <${Trouble} problem=${problem} />
  </section>`;
}

/** @param {{summary: Summary}} props */
function Facts({ summary }) {
  const test = summary.minimum_rows;
  const facts = [
    summary.people === null ? words.peopleUnknown : words.people(grouped(summary.people)),
    summary.discovery_share !== null && words.discovery(summary.discovery_share),
    test && words.minimumRows(grouped(test.rows), test.tests),
    summary.id_normalise.length > 0 && words.normalised(summary.id_normalise.join(", ")),
    words.expiry(Math.floor(summary.expires_after_seconds / 3600)),
  ];
  return html`<ul>
    ${facts.filter(Boolean).map((fact) => html`<li>${fact}</li>`)}
    ${summary.target && html`<li>${words.target} <${Foreign} text=${summary.target} />.</li>`}
    ${summary.constraints.slice(0, 12).map((it) => html`<li><${Constraint} constraint=${it} /></li>`)}
    ${summary.constraints.length > 12 && html`<li>${words.others(summary.constraints.length - 12)}</li>`}
  </ul>`;
}

/** @param {{constraint: Constraint}} props */
export function Constraint({ constraint }) {
  const { impossible, determines } = constraint;
  if (determines) {
    return html`<${Foreign} text=${determines.from} /> ${words.determines}${" "}
      <${Foreign} text=${determines.to} />.`;
  }
  const columns = Object.entries(impossible ?? {});
  return html`${words.noRowHas}${" "}
  ${columns.map(
    ([column, values], i) => html`${i > 0 && ` ${words.togetherWith} `}<${Foreign} text=${column} />
      ${" = "}${[values].flat().slice(0, 12).map(
        (value, k) => html`${k > 0 && ` ${words.or} `}${value === null ? words.missing : html`<${Foreign} text=${String(value)} />`}`,
      )}`,
  )}.`;
}

/** @param {{page: PageState, summary: Summary}} props */
function Users({ page, summary }) {
  return html`<p>${words.compareKeys}</p>
    <ul class="users">
      ${summary.users.map(
        (user) => html`<li>
          <p>
            <strong><${Foreign} text=${user.name} /></strong>
            ${user.name === page.me?.name && ` (${words.you})`} ${words.asRole}${" "}
            <${Foreign} text=${user.role} />${user.provides_data && `, ${words.bringsData}`}
          </p>
          <p class="small"><code>${grouping(shown(user.fingerprint))}</code></p>
        </li>`,
      )}
    </ul>`;
}

/** @param {{party: Summary["parties"][number], page: PageState}} props */
function Party({ party, page }) {
  const columns = columnsOf(party.columns);
  const own = party.name === page.me?.name;
  return html`<details open=${own}>
    <summary>
      <${Foreign} text=${party.name} />${own && ` (${words.you})`}: ${words.columnsCount(columns.length)}
    </summary>
    <p>${party.max_rows_per_id === null ? words.oneRow : words.rowsPerId(party.max_rows_per_id)}</p>
    ${columns.length > 0 && html`<${DeclaredColumns} columns=${columns} label=${words.columnsOf(shown(party.name, 60))} />`}
  </details>`;
}

/** @param {{columns: [string, string][], label: string}} props */
function DeclaredColumns({ columns, label }) {
  const show = (/** @type {[string, string][]} */ some) => html`<${Scroll} label=${label}>
    <table>
      <thead><tr><th>${words.column}</th><th>${words.takenFor}</th></tr></thead>
      <tbody>
        ${some.map(
          ([name, kind]) => html`<tr>
            <th scope="row"><${Foreign} text=${name} /></th><td><${Foreign} text=${kind} /></td>
          </tr>`,
        )}
      </tbody>
    </table>
  <//>`;
  return html`<${Lazy} items=${columns} most=${40} show=${show} />`;
}

/** Keys of a schema that are not columns, unless their value declares a kind. */
const TABLE_KEYS = ["read", "constraints", "discover", "origin", "key"];

/**
 * A declaration's columns, each with its kind in words.
 * @param {Declaration | null} declaration @returns {[string, string][]}
 */
export function columnsOf(declaration) {
  const entries = Object.entries(declaration ?? {}).filter(
    ([name, kind]) => !TABLE_KEYS.includes(name) || isKind(kind),
  );
  return entries.map(([name, kind]) => [name, kindInWords(kind)]);
}

const KINDS = ["categories", "integer", "number", "date", "datetime", "boolean", "identifier"];

/** @param {any} value */
function isKind(value) {
  if (typeof value === "string") return [...KINDS, "discover", "drop"].includes(value);
  return typeof value === "object" && value !== null && KINDS.some((kind) => kind in value);
}

/** @param {any} declared */
function kindInWords(declared) {
  if (typeof declared !== "object" || declared === null) return String(declared);
  const kind = KINDS.find((one) => one in declared);
  if (!kind) return words.unknownKind;
  const detail = declared[kind];
  const parts = [kind];
  if (Array.isArray(detail)) {
    const texts = detail.slice(0, 12).map((one) => shown(String(one), 40));
    parts.push(words.values(detail.length, texts.join(", ")));
  } else if (detail && typeof detail === "object" && "min" in detail) {
    parts.push(words.fromTo(String(detail.min), String(detail.max)));
  }
  if (declared.nullable) parts.push(words.mayBeEmpty);
  if (declared.other) parts.push(words.hasOther);
  return parts.join("; ");
}

/** @param {{summary: Summary}} props */
function Releases({ summary }) {
  return html`<p>${words.releasesMean}</p>
    <${Scroll} label=${words.leaves}>
      <table>
        <thead><tr><th>${words.what}</th><th>${words.toWhom}</th></tr></thead>
        <tbody>
          ${summary.releases.map(
            ({ what, to }) => html`<tr>
              <td>${what}</td>
              <td>
                ${to.length === 0
                  ? words.nobody
                  : to.slice(0, 12).map((name, i) => html`${i > 0 && ", "}<${Foreign} text=${name} />`)}
                ${to.length > 12 && words.others(to.length - 12)}
              </td>
            </tr>`,
          )}
        </tbody>
      </table>
    <//>`;
}

/** Longest file that is put on the page at once, in characters. */
const LONGEST_FILE = 200_000;

/** @param {{name: string, text: string}} props */
function File({ name, text }) {
  return html`<details>
    <summary>${name}</summary>
    <pre class="file" tabindex="0" aria-label=${name}><code>${shownLines(text.slice(0, LONGEST_FILE), 2_000)}</code></pre>
    ${text.length > LONGEST_FILE && html`<p>${words.fileCut}</p>`}
  </details>`;
}
