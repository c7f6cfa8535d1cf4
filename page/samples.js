// Samples: how many synthetic rows, of which kind, in which format.

import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";
import { download, get, send } from "./api.js";
import { condition, ORDERED, UNORDERED } from "./condition.js";
import { grouped, percent, shown } from "./format.js";
import { Action, Copyable, Foreign, NotYet, Scroll, Trouble, typed, Waiting } from "./parts.js";
import { asProblem, canAct, roomIsOpen, useAction, useRequest, useStore } from "./state.js";
import { words } from "./words.js";

const PREVIEW = 20;
/** Values of a column that are offered; others are typed. */
const MOST_OFFERED = 500;
/** Milliseconds without a change after which the room is asked. */
const PAUSE = 500;

/** @param {{page: PageState}} props */
export function SamplesStep({ page }) {
  const { status } = useStore();
  const ready = page.mode === "model" || (roomIsOpen() && status?.status === "trained");
  if (!ready) return html`<${NotYet} text=${words.samplesLater} href="#waiting" link=${words.toWaiting} />`;
  return html`<${Loaded} page=${page} />`;
}

/**
 * Columns in the order in which rows have them.
 * @param {PageState} page @returns {Promise<SampleColumn[]>}
 */
async function columnsOf(page) {
  const parties = page.agreement?.summary.parties.map((party) => party.name) ?? [];
  const paths = parties.length > 0 ? parties.map((name) => `/columns?party=${encodeURIComponent(name)}`) : ["/columns"];
  const [report, ...replies] = await Promise.all([get("/report"), ...paths.map((path) => get(path))]);
  /** @type {Map<string, string[]>} */
  const values = new Map();
  for (const reply of /** @type {Columns[]} */ (replies)) {
    reply.columns.forEach((name, i) => {
      const all = reply.rows.map((row) => row[i] ?? "");
      values.set(name, all.filter((value) => value !== ""));
    });
  }
  return /** @type {ModelReport} */ (report).columns.map(({ name, kind, range, nullable }) => {
    const ordered = range !== null && kind !== "categories" && kind !== "boolean";
    const all = values.get(name) ?? [];
    // The last one stands for missing values, for which there is a test of its own. One before it
    // is a category of that name.
    const missing = nullable ? all.lastIndexOf("null") : -1;
    const own = all.filter((_, i) => i !== missing);
    return { name, ordered, range, values: own.slice(0, MOST_OFFERED) };
  });
}

/** @param {{page: PageState}} props */
function Loaded({ page }) {
  const { value: columns, problem, again } = useRequest(() => columnsOf(page));
  const [request, setRequest] = useState({ count: "1000", format: "csv", safe: false, seed: "", where: "" });
  if (problem) return html`<${Trouble} problem=${problem} again=${again} />`;
  if (!columns) return html`<${Waiting}>${words.loadingColumns}<//>`;
  /** @param {Partial<typeof request>} some */
  const set = (some) => setRequest((/** @type {typeof request} */ before) => ({ ...before, ...some }));
  const path = samplesPath(request);
  return html`
    <p>${words.samplesMean}</p>
    <${Options} page=${page} request=${request} set=${set} />
    <${Where} columns=${columns} where=${request.where} set=${set} />
    <${Preview} columns=${columns} where=${request.where} />
    <${Download} path=${path} />
    <h2>${words.sameElsewhere}</h2>
    <${Copyable} text=${curl(page, path, request.format)} label=${words.curlLine} />
    <${Copyable} text=${python(page, path, request.format)} label=${words.pythonLines} />
    ${page.token_required && html`<p class="faint">${words.tokenNeeded}</p>`}
  `;
}

/** @param {{count: string, format: string, safe: boolean, seed: string, where: string}} request */
function samplesPath({ count, format, safe, seed, where }) {
  const query = new URLSearchParams({ format });
  if (count.trim() !== "") query.set("num_samples", count.trim());
  if (safe && format === "csv") query.set("safe", "spreadsheet");
  if (seed.trim() !== "") query.set("seed", seed.trim());
  if (where !== "") query.set("where", where);
  return `/samples?${query}`;
}

/** @param {PageState} page @param {string} path @param {string} format */
function curl(page, path, format) {
  const token = page.token_required ? `--header "x-synclave-token: $TOKEN" ` : "";
  // In these quotes shells, Windows' too, take as it stands what URLSearchParams leaves.
  return `curl --fail ${token}--output rows.${format} "${page.address}${path}"`;
}

/** @param {PageState} page @param {string} path @param {string} format */
function python(page, path, format) {
  const url = JSON.stringify(`${page.address}${path}`);
  if (page.token_required) {
    return `import os, requests\nreply = requests.get(${url}, headers={"x-synclave-token": os.environ["TOKEN"]})\nreply.raise_for_status()`;
  }
  if (format === "csv") return `import pandas\nrows = pandas.read_csv(${url})`;
  return `import pandas\nrows = pandas.read_json(${url}${format === "jsonl" ? ", lines=True" : ""})`;
}

/** @param {{page: PageState, request: any, set: (some: any) => void}} props */
function Options({ page, request, set }) {
  const most = page.agreement?.summary.limits.max_samples;
  return html`<fieldset class="options">
    <legend>${words.howMany}</legend>
    <label>${words.rowsWanted}
      <input type="number" min="1" max=${most} inputmode="numeric" value=${request.count}
        onInput=${typed((value) => set({ count: value }))} />
    </label>
    <label>${words.format}
      <select value=${request.format} onChange=${typed((value) => set({ format: value }))}>
        ${["csv", "json", "jsonl"].map((name) => html`<option value=${name}>${words.formats[name]}</option>`)}
      </select>
    </label>
    <label>${words.seed}
      <input type="number" min="0" inputmode="numeric" value=${request.seed} placeholder=${words.anySeed}
        onInput=${typed((value) => set({ seed: value }))} />
    </label>
    <label class="check">
      <input type="checkbox" checked=${request.safe} disabled=${request.format !== "csv"}
        onChange=${(/** @type {any} */ e) => set({ safe: e.target.checked })} />${" "}
      ${words.safe}
    </label>
    ${most && html`<p class="faint small">${words.mostRows(grouped(most))}</p>`}
  </fieldset>`;
}

/** @param {{columns: SampleColumn[], where: string, set: (some: any) => void}} props */
function Where({ columns, where, set }) {
  const [tests, setTests] = useState(/** @type {Test[]} */ ([]));
  // What a person has typed comes before what the tests say.
  const [own, setOwn] = useState("");
  /** @param {Test[]} next */
  const apply = (next) => {
    setTests(next);
    set({ where: [own, condition(next)].filter((text) => text !== "").join(" and ") });
  };
  /** Takes the text as it is: the tests that it was made of are in it. @param {string} text */
  const type = (text) => {
    setTests([]);
    setOwn(text.trim());
    set({ where: text });
  };
  /** @param {number} i @param {Partial<Test>} some */
  const change = (i, some) => apply(tests.map((test, k) => (k === i ? { ...test, ...some } : test)));
  const add = () => {
    apply([...tests, { column: "", test: "=", values: [] }]);
    focusSoon(".test:last-of-type select");
  };
  /** @param {number} i */
  const remove = (i) => {
    apply(tests.filter((_, k) => k !== i));
    focusSoon("#add");
  };
  return html`<fieldset class="where">
    <legend>${words.whichRows}</legend>
    ${tests.map((test, i) => html`<${OneTest}
        key=${i} test=${test} place=${i + 1} columns=${columns} change=${(/** @type {Partial<Test>} */ some) => change(i, some)}
        remove=${() => remove(i)}
      />`)}
    <p>
      <button type="button" id="add" onClick=${add}>
        ${tests.length === 0 ? words.addTest : words.andTest}
      </button>
    </p>
    <label class="wide">${words.conditionText}
      <input type="text" value=${where} spellcheck=${false} autocomplete="off" placeholder=${words.allRows}
        onInput=${typed(type)} />
    </label>
  </fieldset>`;
}

/** Where a person goes on who uses the keyboard, once it is drawn. @param {string} selector */
function focusSoon(selector) {
  setTimeout(() => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus());
}

/** @param {{test: Test, place: number, columns: SampleColumn[], change: (some: Partial<Test>) => void, remove: () => void}} props */
function OneTest({ test, place, columns, change, remove }) {
  const column = columns.find((one) => one.name === test.column);
  const known = column?.ordered ? ORDERED : UNORDERED;
  const choose = (/** @type {any} */ event) => {
    const next = columns.find((one) => one.name === event.target.value);
    const test = next?.ordered ? "between" : "=";
    change({ column: event.target.value, test, values: next?.ordered ? [...(next.range ?? [])] : [] });
  };
  return html`<div class="test" role="group" aria-label=${words.testNumber(place)}>
    <label>${words.column}
      <select value=${test.column} onChange=${choose}>
        <option value="">${words.chooseColumn}</option>
        ${columns.map(({ name }) => html`<option value=${name}>${shown(name, 80)}</option>`)}
      </select>
    </label>
    <label>${words.test}
      <select value=${test.test} disabled=${!column} onChange=${typed((value) => change({ test: value, values: [] }))}>
        ${known.map((name) => html`<option value=${name}>${words.tests[name]}</option>`)}
      </select>
    </label>
    ${column && !test.test.startsWith("is ") && html`<${Values} test=${test} column=${column} change=${change} />`}
    <button type="button" aria-label=${words.removeTest(place)} onClick=${remove}>${words.remove}</button>
    ${column &&
    condition([test]) === "" &&
    html`<p class="small" role="status">${words.notFilledIn}</p>`}
  </div>`;
}

/** @param {{test: Test, column: SampleColumn, change: (some: Partial<Test>) => void}} props */
function Values({ test, column, change }) {
  const { ordered, values, range } = column;
  const option = (/** @type {string} */ value) => html`<option value=${value} selected=${test.values.includes(value)}>${shown(value, 80)}</option>`;
  const at = (/** @type {number} */ i) => (/** @type {any} */ event) => {
    const next = [test.values[0] ?? "", test.values[1] ?? ""];
    next[i] = event.target.value;
    change({ values: test.test === "between" ? next : next.slice(0, 1) });
  };
  if (ordered && test.test === "between") {
    return html`<label>${words.from} <input value=${test.values[0] ?? ""} placeholder=${range?.[0]} onInput=${at(0)} /></label>
      <label>${words.to} <input value=${test.values[1] ?? ""} placeholder=${range?.[1]} onInput=${at(1)} /></label>`;
  }
  if (ordered || values.length === 0 || values.length >= MOST_OFFERED) {
    return html`<label>${words.value} <input value=${test.values[0] ?? ""} placeholder=${range?.join(` ${words.to} `)} onInput=${at(0)} /></label>`;
  }
  if (test.test === "in") {
    const several = (/** @type {any} */ event) =>
      change({ values: [...event.target.selectedOptions].map((/** @type {any} */ one) => one.value) });
    return html`<label>${words.severalValues}
      <select multiple size=${Math.min(6, values.length)} onChange=${several}>${values.map(option)}</select>
    </label>`;
  }
  return html`<label>${words.value}
    <select value=${test.values[0] ?? ""} onChange=${at(0)}>
      <option value="">${words.chooseValue}</option>
      ${values.map(option)}
    </select>
  </label>`;
}

/**
 * Twenty rows, drawn again whenever the condition changes; the room's refusal where it refuses.
 * @param {{columns: SampleColumn[], where: string}} props
 */
function Preview({ columns, where }) {
  const [state, setState] = useState(/** @type {any} */ ({ busy: true }));
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const draw = async () => {
      setState((/** @type {any} */ before) => ({ ...before, busy: true }));
      const query = new URLSearchParams({ format: "json", num_samples: String(PREVIEW) });
      if (where !== "") query.set("where", where);
      try {
        const response = await send(`/samples?${query}`, { signal: stop.signal });
        const share = response.headers.get("synclave-condition-probability");
        const rows = await response.json();
        setState({ rows, share: share === null ? null : Number(share) });
      } catch (error) {
        if (!stop.signal.aborted) setState({ problem: asProblem(error), share: null });
      }
    };
    const timer = setTimeout(draw, where === "" ? 0 : PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [where, turn]);
  const names = useMemo(() => namesOf(state.rows?.[0] ?? {}, columns), [state.rows]);
  return html`<section aria-labelledby="preview">
    <h2 id="preview">${words.preview(PREVIEW)}</h2>
    <p role="status" class="faint">
      ${state.busy ? words.drawing : !state.rows ? "" : state.share !== null ? words.shareOfModel(percent(state.share)) : words.previewDrawn}
    </p>
    <${Trouble} problem=${state.problem} />
    ${state.rows && html`<${Rows} names=${names} rows=${state.rows} />
      <p><button type="button" onClick=${() => setTurn(turn + 1)}>${words.drawAgain}</button></p>`}
  </section>`;
}

/**
 * The columns of a row in their order. An object has names that are whole numbers first, in
 * whatever order they were written. @param {object} row @param {SampleColumn[]} columns
 */
function namesOf(row, columns) {
  const places = new Map(columns.map(({ name }, i) => [name, i]));
  const place = (/** @type {string} */ name) => places.get(name) ?? columns.length;
  return Object.keys(row).sort((a, b) => place(a) - place(b));
}

/** Columns of the preview that are drawn at once. */
const MOST_COLUMNS = 40;

/** @param {{names: string[], rows: Record<string, unknown>[]}} props */
function Rows({ names, rows }) {
  const [most, setMost] = useState(MOST_COLUMNS);
  const some = names.slice(0, most);
  return html`<${Scroll} label=${words.previewRows}>
      <table class="rows">
        <thead><tr>${some.map((name) => html`<th scope="col"><${Foreign} text=${name} /></th>`)}</tr></thead>
        <tbody>
          ${rows.map((row) => html`<tr>
              ${some.map((name) => {
                const value = row[name];
                if (value === null) return html`<td class="faint">${words.missing}</td>`;
                return html`<td class=${typeof value === "number" ? "number" : ""}><${Foreign} text=${String(value)} /></td>`;
              })}
            </tr>`)}
        </tbody>
      </table>
    <//>
    ${names.length > most &&
    html`<p>
      ${words.columnsShownOf(most, names.length)}${" "}
      <button type="button" onClick=${() => setMost(most + MOST_COLUMNS)}>${words.showMore(MOST_COLUMNS)}</button>
    </p>`}`;
}

/** @param {{path: string}} props */
function Download({ path }) {
  const { busy, problem, run } = useAction();
  const [said, setSaid] = useState("");
  const save = () => {
    setSaid("");
    run(words.downloading, async () => {
      await download(path);
      setSaid(words.downloadStarted);
    });
  };
  return html`<p>
      <${Action} kind="main" disabled=${!canAct()} press=${save}>${words.download}<//>
      <span role="status" class="faint"> ${busy || said}</span>
    </p>
    <${Trouble} problem=${problem} />`;
}
