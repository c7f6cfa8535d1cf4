// The page: which step is shown, and what stands around it.

import { html, render, useEffect, useState } from "./vendor/preact-htm.js";
import { AgreementStep } from "./agreement.js";
import { hasToken, takeToken } from "./api.js";
import { EvidenceStep } from "./evidence.js";
import { Action, Foreign, NotYet, Sentence, Trouble, Waiting } from "./parts.js";
import { ReceiptStep } from "./receipt.js";
import { ResultStep } from "./result.js";
import { SamplesStep } from "./samples.js";
import { canAct, endProgram, loadPage, tryNow, useAction, useStore } from "./state.js";
import { UploadStep } from "./upload.js";
import { WaitingStep } from "./waiting.js";
import { words } from "./words.js";

/** The steps in their order: the part of the address, what is shown, and the path it needs. */
const STEPS = /** @type {const} */ ([
  ["evidence", EvidenceStep, null],
  ["agreement", AgreementStep, null],
  ["upload", UploadStep, "/upload_data"],
  ["waiting", WaitingStep, "/status"],
  ["result", ResultStep, "/report"],
  ["samples", SamplesStep, "/samples"],
  ["receipt", ReceiptStep, "/receipt"],
]);

/** @typedef {typeof STEPS[number][0]} StepName */

/** The steps that this person has: of a model's file, what it shows; of a room, what its role may. @param {PageState} page */
function stepsOf(page) {
  if (page.mode === "model")
    return STEPS.filter(([name]) => name === "result" || name === "samples");
  const me = page.agreement?.summary.users.find((user) => user.name === page.me?.name);
  return STEPS.filter(([, , path]) => path === null || !me || me.may.includes(path));
}

/** @param {StepName} name @param {PageState} page @param {Status | null} status */
function isDone(name, page, status) {
  const own = status?.parties.find((party) => party.name === page.me?.name);
  switch (name) {
    case "evidence":
      return !!page.evidence?.held;
    case "agreement":
      return !!page.agreement?.accepted;
    case "upload":
      return !!own?.confirmed || status?.status === "trained";
    case "waiting":
      return status?.status === "trained";
    default:
      return false;
  }
}

/** Whether the room was refused: there is nothing but the reason. @param {PageState} page */
function isRefused(page) {
  return page.mode === "room" && !page.evidence?.held;
}

/** The first step that is not done, where no other is asked for. @param {PageState} page @param {Status | null} status */
function currentStep(page, status) {
  const steps = stepsOf(page);
  const asked = steps.find(([name]) => location.hash === `#${name}`);
  // The evidence is looked at before anything else, whatever was done already.
  const first =
    isRefused(page) || (page.agreement && !page.agreement.accepted)
      ? steps[0]
      : steps.find(([name]) => !isDone(name, page, status));
  return /** @type {typeof STEPS[number]} */ (asked ?? first ?? steps[0]);
}

function App() {
  const { page, status, problem, ended } = useStore();
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const turn = () => {
      takeToken();
      setHash(location.hash);
    };
    addEventListener("hashchange", turn);
    return () => removeEventListener("hashchange", turn);
  }, []);
  const name = page && !ended ? currentStep(page, status)[0] : null;
  useEffect(() => {
    document.title = name ? `${words.steps[name]} – synclave` : "synclave";
    // A person who hears the page is told where the link has led.
    if (hash !== "") document.querySelector("h1")?.focus();
  }, [name]);
  return html`
    <a class="skip" href="#content" onClick=${skip}>${words.skip}</a>
    <header class="top">
      <p class="brand">synclave</p>
      ${page && html`<${Where} page=${page} />`}
    </header>
    ${page && !ended && html`<${Steps} page=${page} status=${status} here=${name} />`}
    <main id="content" tabindex="-1"><${Content} /></main>
    <footer>
      <p>${words.footer}${page && ` ${words.version(page.version)}`}</p>
      ${page && !ended && hasToken() && html`<${End} page=${page} />`}
    </footer>
    ${problem && page && html`<${Trouble} problem=${problem} again=${loadPage} />`}
  `;
}

/** @param {Event} event */
function skip(event) {
  // The address belongs to the steps.
  event.preventDefault();
  document.getElementById("content")?.focus();
}

/** @param {{page: PageState}} props */
function Where({ page }) {
  if (page.mode === "model") {
    return html`<p>${words.modelFile} <${Foreign} text=${page.file ?? ""} /></p>`;
  }
  return html`<p>
    ${page.room && html`${words.roomShort} <code>${page.room.short}</code>`}
    ${page.me && html`, ${words.youAre} <${Foreign} text=${page.me.name} />`}
  </p>`;
}

/** @param {{page: PageState, status: Status | null, here: StepName | null}} props */
function Steps({ page, status, here }) {
  return html`<nav aria-label=${words.stepsLabel}>
    <ol class="steps">
      ${stepsOf(page).map(([name]) => {
        const done = isDone(name, page, status);
        return html`<li class=${done ? "done" : ""}>
          <a href=${`#${name}`} aria-current=${name === here ? "step" : undefined}>
            <span class="mark" aria-hidden="true">${done ? "✓" : ""}</span>${words.steps[name]}
            ${done && html`<span class="hidden"> (${words.done})</span>`}
          </a>
        </li>`;
      })}
    </ol>
  </nav>`;
}

function Content() {
  const { page, status, problem, live, ended } = useStore();
  if (ended) return html`<h1 tabindex="-1">${words.endedTitle}</h1><p>${words.ended(page)}</p>`;
  if (!page && problem) return html`<${Trouble} problem=${problem} again=${loadPage} />`;
  if (!page) return html`<${Waiting}>${words.asking}<//>`;
  const [name, Step] = currentStep(page, status);
  return html`<div class=${`step ${name}`}>
    ${live && html`<${Broken} live=${live} />`}
    ${page.mode === "room" && !hasToken() && html`<p class="notice">${words.noToken}</p>`}
    <h1 tabindex="-1">${words.titles[name]}</h1>
    ${isRefused(page) && name !== "evidence"
      ? html`<${NotYet} text=${words.stepRefused} href="#evidence" link=${words.toEvidence} />`
      : html`<${Step} page=${page} />`}
  </div>`;
}

/** That nothing can be sent now. @param {{live: NonNullable<Store["live"]>}} props */
function Broken({ live }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((live.retryAt - now) / 1000));
  const isGone = live.broken.code === "no-program";
  const title = words.brokenTitles[live.broken.code] ?? words.broken;
  const text = isGone ? words.startAgain : live.broken.message;
  return html`<div class="notice warning broken">
    <p role="status"><strong>${title}</strong> <${Sentence} text=${text} /> ${words.nothingSent}</p>
    <p>
      ${seconds > 0 ? words.retryIn(seconds) : words.retrying}${" "}
      <button type="button" onClick=${tryNow}>${words.tryNow}</button>
    </p>
  </div>`;
}

/** Ends the program, from every step. @param {{page: PageState}} props */
function End({ page }) {
  const { busy, problem, run } = useAction();
  const [asked, ask] = useState(false);
  const end = () => run(words.ending, endProgram);
  return html`<p>
      ${asked
        ? html`${words.endMeans(page.mode)}${" "}
            <${Action} kind="serious" busy=${busy !== ""} press=${end}>${words.endReally}<//>${" "}
            <button type="button" onClick=${() => ask(false)}>${words.stay}</button>`
        : html`<${Action} disabled=${!canAct()} press=${() => ask(true)}>${words.end}<//>`}
      <span role="status"> ${busy}</span>
    </p>
    <${Trouble} problem=${problem} />`;
}

takeToken();
render(html`<${App} />`, /** @type {Element} */ (document.getElementById("app")));
loadPage();
