// Upload: one's own table into the enclave, what the enclave read of it, and the confirmation.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { columnsOf } from "./agreement.js";
import { post, upload } from "./api.js";
import { readStart } from "./file-start.js";
import { grouped, grouping, percent, shown, size } from "./format.js";
import { Action, Foreign, Lazy, NotYet, Scroll, Sentence, Trouble, Warnings } from "./parts.js";
import { asProblem, canAct, change, loadStatus, roomIsOpen, useAction, useStore } from "./state.js";
import { words } from "./words.js";

const REPLY = "synclave-upload";

/** @param {{page: PageState}} props */
export function UploadStep({ page }) {
  const { status, live } = useStore();
  if (!roomIsOpen()) {
    return html`<${NotYet} text=${words.uploadLater} href="#agreement" link=${words.toAgreement} />`;
  }
  if (!status) return html`<p role="status" class="faint">${live ? live.broken.message : words.askingRoom}</p>`;
  const own = status.parties.find((party) => party.name === page.me?.name);
  if (!own) return html`<p>${words.bringsNothing}</p>`;
  const open = status.status === "awaiting_data" || status.status === "awaiting_confirmation";
  return html`
    ${!open && html`<p class="notice">${words.uploadOver(status.status)} <a href="#waiting">${words.toWaiting}</a></p>`}
    ${own.uploaded && html`<${Read} status=${status} />`}
    ${own.uploaded && open && html`<${Confirm} page=${page} status=${status} confirmed=${own.confirmed} />`}
    ${open && !own.confirmed && html`<${Choose} page=${page} replaces=${own.uploaded} />`}
  `;
}

/** The reply to this tab's last upload, kept for a reload. @returns {UploadReply | null} */
export function keptReply() {
  return JSON.parse(sessionStorage.getItem(REPLY) ?? "null");
}

/** The same, if it is still the room's table. @param {Status} status */
function lastReply(status) {
  const kept = keptReply();
  return kept?.commitment.digest === status.you?.commitment?.digest ? kept : null;
}

/** What the enclave read of the table. @param {{status: Status}} props */
function Read({ status }) {
  const reply = lastReply(status);
  const digest = status.you?.commitment?.digest;
  return html`<section aria-labelledby="read">
    <h2 id="read" tabindex="-1">${words.whatWasRead}</h2>
    <p class="faint">${words.onlyYou}</p>
    ${reply && html`<${Warnings} texts=${reply.warnings} title=${words.readWarnings(reply.warnings.length)} />`}
    ${reply && reply.warnings.length === 0 && html`<p class="notice good">${words.noWarnings}</p>`}
    <dl class="facts">
      ${(reply || status.you?.rows !== undefined) &&
      html`<div><dt>${words.rows}</dt><dd>${grouped(reply?.rows ?? status.you?.rows ?? 0)}</dd></div>`}
      ${reply && html`<div><dt>${words.readAs}</dt><dd><${Sentence} text=${reply.read_as} /></dd></div>`}
      ${reply && html`<div><dt>${words.ids}</dt><dd><${Sentence} text=${reply.ids.in_words} /></dd></div>`}
      ${digest && html`<div><dt>${words.commitment}</dt><dd><code class="short">${grouping(digest.slice(0, 12))}</code></dd></div>`}
    </dl>
    ${!reply && html`<p class="faint">${words.replyGone}</p>`}
  </section>`;
}

/** @param {{page: PageState, status: Status, confirmed: boolean}} props */
function Confirm({ page, status, confirmed }) {
  // Of these very tables: another upload, whoever's, has to be looked at again.
  const tables = status.parties.map((party) => `${party.name}:${party.commitment}`).join();
  const [understood, setUnderstood] = useState("");
  const { busy, problem, run } = useAction();
  const withdraw = () =>
    run(words.withdrawing, async () => {
      await post("/withdraw_confirmation");
      await loadStatus();
    });
  const trouble = html`<${Trouble} problem=${problem} />`;
  if (confirmed) {
    return html`<section>
      <p class="notice good"><strong>${words.confirmed}</strong> ${words.confirmedMeans}</p>
      <p class="next">
        <a class="button" href="#waiting">${words.toWaiting}</a>${" "}
        <${Action} busy=${busy !== ""} disabled=${!canAct()} press=${withdraw}>
          ${words.withdraw}
        <//>
      </p>
      ${trouble}
    </section>`;
  }
  const others = status.parties.filter((party) => party.name !== page.me?.name);
  const all = others.every((party) => party.commitment !== null);
  const confirm = () =>
    run(words.confirming, async () => {
      // For the uploads that this page showed: another one since then, and it does not hold.
      const seen = others.map((party) => `${party.name}:${party.commitment}`).join(",");
      await post(all ? `/confirm_data?commitments=${encodeURIComponent(seen)}` : "/confirm_data");
      await loadStatus();
    });
  return html`<section class="decision" aria-labelledby="confirm">
    <h2 id="confirm">${words.confirmTitle}</h2>
    <p>${words.finalIntro}</p>
    <ul>
      ${words.final.map((text) => html`<li>${text}</li>`)}
      <li>${all ? words.confirmsSeen : words.confirmsUnseen}</li>
    </ul>
    ${understood !== "" &&
    understood !== tables &&
    html`<p class="notice warning" role="status">${words.changedSince}</p>`}
    <p>
      <label>
        <input type="checkbox" checked=${understood === tables}
          onChange=${(/** @type {any} */ e) => setUnderstood(e.target.checked ? tables : "")} />
        ${" "}${words.understood}
      </label>
    </p>
    <p>
      <${Action}
        kind="main"
        busy=${busy !== ""}
        disabled=${understood !== tables || !canAct()}
        press=${confirm}
      >
        ${words.confirm}
      <//>
    </p>
    <p role="status" class="faint">${busy}</p>
    ${trouble}
  </section>`;
}

/**
 * Sends a table, and says whether the room has it. How far it is stands in the store, as a person
 * may look at another step meanwhile.
 * @param {File} file
 */
async function sendTable(file) {
  const warn = (/** @type {Event} */ event) => event.preventDefault();
  const { done, cancel } = upload(file, (sent, all) => tell({ cancel, sent, all }));
  const tell = (/** @type {object} */ some) =>
    change({ sending: { file, sent: 0, all: file.size, cancel: null, problem: null, ...some } });
  tell({ cancel });
  addEventListener("beforeunload", warn);
  try {
    // What the room has cannot be lost by leaving: no question is asked from then on.
    const reply = await done.finally(() => removeEventListener("beforeunload", warn));
    // The salt is the room's to tell its owner again; it need not lie about here.
    const commitment = { digest: reply.commitment.digest };
    sessionStorage.setItem(REPLY, JSON.stringify({ ...reply, commitment }));
    await loadStatus();
    change({ sending: null });
    return true;
  } catch (error) {
    tell({ problem: asProblem(error) });
    return false;
  }
}

/** @param {{page: PageState, replaces: boolean}} props */
function Choose({ page, replaces }) {
  const { sending } = useStore();
  const [file, setFile] = useState(sending?.file ?? null);
  const [over, setOver] = useState(false);
  const most = page.agreement?.summary.limits.max_upload_bytes ?? Infinity;
  const busy = !!sending?.cancel;
  /** @param {FileList | null | undefined} files */
  const choose = (files) => {
    change({ sending: null });
    setFile(files?.[0] ?? null);
  };
  const start = async () => {
    if (!file || !(await sendTable(file))) return;
    setFile(null);
    const input = /** @type {HTMLInputElement | null} */ (document.getElementById("table"));
    if (input) input.value = "";
    document.getElementById("read")?.focus();
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(false);
    if (!busy) choose(event.dataTransfer?.files);
  };
  return html`<section aria-labelledby="choose">
    <h2 id="choose">${replaces ? words.replaceTitle : words.chooseTitle}</h2>
    <p>${words.chooseHow}</p>
    <div
      class=${over ? "drop over" : "drop"}
      onDragOver=${(/** @type {Event} */ event) => (event.preventDefault(), setOver(true))}
      onDragLeave=${() => setOver(false)}
      onDrop=${drop}
    >
      <label for="table">${words.dropHere}</label>
      <input
        id="table"
        type="file"
        accept=".csv,.tsv,.txt,.json,.jsonl,.parquet,.gz,.zst"
        disabled=${busy}
        onChange=${(/** @type {any} */ event) => choose(event.target.files)}
      />
    </div>
    ${file && html`<${Chosen} file=${file} page=${page} />`}
    ${file && file.size > most && html`<p class="notice warning">${words.tooLarge(size(file.size), size(most))}</p>`}
    ${file &&
    html`<p>
      <${Action} kind="main" busy=${busy} disabled=${!canAct() || file.size > most} press=${start}>
        ${replaces ? words.replace : words.upload}
      <//>
    </p>`}
    ${busy && html`<${Sending} ...${sending} />`}
    <${Trouble} problem=${sending?.problem ?? null} />
  </section>`;
}

/** @param {{sent: number, all: number, cancel: () => void}} props */
function Sending({ sent, all, cancel }) {
  const sentAll = sent >= all;
  const share = all > 0 ? sent / all : 0;
  return html`<div class="sending">
    <progress aria-label=${words.sendingLabel} max="1" value=${share}></progress>
    <p role="status">
      ${sentAll ? words.reading : words.sent(size(sent), size(all), `${Math.floor(share * 10) * 10} %`)}
    </p>
    <p><button type="button" onClick=${cancel}>${words.cancel}</button></p>
  </div>`;
}

/** What the browser sees of the file, beside what the agreement says of this party's table. @param {{file: File, page: PageState}} props */
function Chosen({ file, page }) {
  const [start, setStart] = useState(/** @type {any} */ (undefined));
  useEffect(() => {
    let wanted = true;
    readStart(file).then(
      (found) => wanted && setStart(found),
      () => wanted && setStart({ not: "other" }),
    );
    return () => {
      wanted = false;
    };
  }, [file]);
  const summary = page.agreement?.summary;
  const party = summary?.parties.find((one) => one.name === page.me?.name);
  const declared = party?.columns ? columnsOf(party.columns) : null;
  const title = html`<p><strong><${Foreign} text=${file.name} /></strong>, ${size(file.size)}</p>`;
  if (start === undefined) return html`${title}<p role="status" class="faint">${words.looking}</p>`;
  if (start.not === "workbook" || start.not === "encoding") {
    const text = start.not === "workbook" ? words.isWorkbook : words.isEncoded;
    return html`${title}<${Warnings} texts=${[text]} title=${words.beforeUpload} />`;
  }
  if (start.not) return html`${title}<p class="faint">${words.notLooked}</p>`;
  /** @type {FileStart} */
  const { columns, rows } = start;
  const names = columns.map((column) => column.name.trim());
  const key = summary?.key ?? "id";
  const missing = (declared ?? []).map(([name]) => name).filter((name) => !names.includes(name));
  const warnings = [];
  if (!names.includes(key)) warnings.push(words.noKey(shown(key, 60)));
  if (missing.length > 0) warnings.push(words.missingColumns(missing.slice(0, 12).map((it) => shown(it, 60)).join(", "), missing.length));
  /** @param {string} name */
  const part = (name) => {
    if (name === key) return words.isKey;
    const found = declared?.find(([one]) => one === name);
    if (!declared) return words.isDiscovered;
    return found ? found[1] : words.isLeftOut;
  };
  return html`${title}
    <${Warnings} texts=${warnings} title=${words.beforeUpload} />
    <p class="faint">${words.lookedAt(columns.length, rows)}</p>
    <${Lazy}
      items=${columns}
      most=${40}
      show=${(/** @type {StartColumn[]} */ some) => html`<${Scroll} label=${words.fileColumns}>
        <table>
          <thead>
            <tr><th>${words.column}</th><th>${words.takesPart}</th><th>${words.examples}</th><th class="number">${words.empty}</th></tr>
          </thead>
          <tbody>
            ${some.map(
              ({ name, examples, empty }) => html`<tr>
                <th scope="row"><${Foreign} text=${name} /></th>
                <td><${Foreign} text=${part(name.trim())} /></td>
                <td>${examples.map((one, i) => html`${i > 0 && ", "}<${Foreign} text=${one} />`)}</td>
                <td class="number">${rows > 0 ? percent(empty / rows) : ""}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      <//>`}
    />`;
}
