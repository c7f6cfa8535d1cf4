// Result: what the model shows, and what not to rely on.

import { html, useMemo, useState } from "./vendor/preact-htm.js";
import { Constraint } from "./agreement.js";
import { download, get } from "./api.js";
import { BarLegend, Distribution, HeatMap, MapLegend, MOST_COLUMNS } from "./charts.js";
import { grouped, percent, shown } from "./format.js";
import { Action, Foreign, Lazy, NotYet, Scroll, Sentence, Trouble, typed, Waiting } from "./parts.js";
import { canAct, roomIsOpen, useAction, useRequest, useStore } from "./state.js";
import { words } from "./words.js";

/** @param {{page: PageState}} props */
export function ResultStep({ page }) {
  const { status } = useStore();
  const ready = page.mode === "model" || (roomIsOpen() && status?.status === "trained");
  if (!ready) return html`<${NotYet} text=${words.resultLater} href="#waiting" link=${words.toWaiting} />`;
  return html`<${Loaded} page=${page} />`;
}

/** @param {{page: PageState}} props */
function Loaded({ page }) {
  const { value: report, problem, again } = useRequest(() => get("/report"));
  if (problem) return html`<${Trouble} problem=${problem} again=${again} />`;
  if (!report) return html`<${Waiting}>${words.loadingReport}<//>`;
  return html`<${ReportView} page=${page} report=${report} />`;
}

/** @param {{page: PageState, report: ModelReport}} props */
function ReportView({ page, report }) {
  const pairs = useMemo(() => pairsOf(report), [report]);
  const [low, high] = report.row_count.between;
  return html`
    ${report.danger && html`<p class="notice danger"><strong>${words.noGuarantee}</strong> ${report.danger}.</p>`}
    <p class="lead">${words.cameOut(report.columns.length, shown(report.method), grouped(report.rows), grouped(low), grouped(high))}</p>
    <${Files} page=${page} />
    <nav class="inside" aria-label=${words.inside}>
      <a href="#result" onClick=${jump("rely")}>${words.rely}</a>
      <a href="#result" onClick=${jump("distributions")}>${words.distributions}</a>
      <a href="#result" onClick=${jump("pairs")}>${words.pairs}</a>
      <a href="#result" onClick=${jump("spent")}>${words.spent}</a>
    </nav>
    <h2 id="rely" tabindex="-1">${words.rely}</h2>
    <${NotToRelyOn} report=${report} />
    <h2 id="distributions" tabindex="-1">${words.distributions}</h2>
    <p>${words.distributionsMean}</p>
    <${Distributions} report=${report} />
    <h2 id="pairs" tabindex="-1">${words.pairs}</h2>
    <${Pairs} report=${report} pairs=${pairs} />
    ${report.constraints &&
    html`<h2>${words.kept}</h2>
      ${report.constraints.length === 0
        ? html`<p>${words.noConstraints}</p>`
        : html`<p>${words.keptMean}</p>
            <ul>${report.constraints.slice(0, 100).map((it) => html`<li><${Constraint} constraint=${it} /></li>`)}</ul>`}`}
    <h2 id="spent" tabindex="-1">${words.spent}</h2>
    <${Spent} report=${report} />
  `;
}

/** Leads to a part of this step; the address stays that of the step. @param {string} id */
function jump(id) {
  return (/** @type {Event} */ event) => {
    event.preventDefault();
    const target = document.getElementById(id);
    target?.scrollIntoView();
    target?.focus({ preventScroll: true });
  };
}

/** @param {{page: PageState}} props */
function Files({ page }) {
  const { problem, run } = useAction();
  const save = (/** @type {string} */ path) => () => run(words.downloading, () => download(path));
  const disabled = !canAct();
  return html`<p>
      <a class="button" href="#samples">${words.toSamples}</a>${" "}
      <${Action} disabled=${disabled} press=${save("/report?format=html")}>${words.saveReport}<//>${" "}
      ${page.mode === "room" && html`<${Action} disabled=${disabled} press=${save("/model")}>${words.saveModel}<//>`}
    </p>
    <${Trouble} problem=${problem} />`;
}

/** @param {{report: ModelReport}} props */
function NotToRelyOn({ report }) {
  const found = (report.errors?.marginals ?? []).filter((it) => it.mostly_noise);
  found.sort((a, b) => (b.bound ?? 1) - (a.bound ?? 1));
  const formulas = report.formulas ?? [];
  if (report.warnings.length + found.length + formulas.length === 0) {
    return html`<p class="notice good">${report.errors ? words.nothingStandsOut : words.nothingStandsOutUnmeasured}</p>`;
  }
  return html`<div class="notice warning">
    <ul>
      ${report.warnings.map((text) => html`<li><${Sentence} text=${text} /></li>`)}
      ${formulas.map((it) => html`<li>${words.formulas} <${Foreign} text=${it.column} />.</li>`)}
    </ul>
    <${Lazy}
      items=${found}
      most=${20}
      show=${(/** @type {typeof found} */ some) => html`<ul>
        ${some.map(
          (it) => html`<li>
            ${words.relationBetween} ${names(it.columns)}
            ${it.bound === null ? words.relationUnknown : words.relationNoise(percent(it.bound))}
          </li>`,
        )}
      </ul>`}
    />
  </div>`;
}

/** @param {string[]} columns */
function names(columns) {
  return columns.map((name, i) => html`${i > 0 && ` ${words.and} `}<${Foreign} text=${name} />`);
}

/** @param {{report: ModelReport}} props */
function Distributions({ report }) {
  const [search, setSearch] = useState("");
  const wanted = report.columns
    .map((column, i) => ({ column, values: report.distributions?.[i]?.values ?? null }))
    .filter(({ column }) => column.name.toLowerCase().includes(search.toLowerCase()));
  return html`
    ${report.columns.length > 8 &&
    html`<p>
      <label>${words.findColumn}${" "}
        <input type="search" value=${search} onInput=${typed(setSearch)} />
      </label>
      <span role="status" class="faint"> ${words.found(wanted.length, report.columns.length)}</span>
    </p>`}
    <${BarLegend} />
    <${Lazy}
      key=${search}
      items=${wanted}
      most=${24}
      show=${(/** @type {typeof wanted} */ some) => html`<div class="charts">
        ${some.map(({ column, values }) => html`<${ColumnCard} key=${column.name} column=${column} values=${values} />`)}
      </div>`}
    />
  `;
}

/** @param {{column: ColumnReport, values: Bar[] | null}} props */
function ColumnCard({ column, values }) {
  const facts = [
    column.kind,
    column.range && words.fromTo(shown(column.range[0], 40), shown(column.range[1], 40)),
    ...column.conventions,
    column.nullable && words.missingShare(column.missing === null ? words.unknown : percent(column.missing)),
    column.other !== null && words.otherShare(percent(column.other)),
  ];
  return html`<article class=${column.mostly_noise ? "noisy" : ""}>
    <h3><${Foreign} text=${column.name} /></h3>
    <p class="small faint">${facts.filter(Boolean).join(" · ")}</p>
    <p class="small">${column.noise === null ? words.notMeasured : words.noiseShare(percent(column.noise))}</p>
    ${column.mostly_noise && html`<p class="small"><strong>× ${words.columnNoise}</strong></p>`}
    ${column.advice && html`<p class="small"><${Sentence} text=${column.advice} /></p>`}
    ${values && html`<${Distribution} column=${column.name} bars=${values} />`}
  </article>`;
}

/**
 * Pairs with their stated bounds; where the method does not measure errors, how far the model is
 * from what was counted and that on average from the table, together.
 * @param {ModelReport} report @returns {PairError[]}
 */
function pairsOf(report) {
  const position = new Map(report.columns.map((column, i) => [column.name, i]));
  /** @type {Map<string, PairError>} */
  const best = new Map();
  /** @param {string[]} columns @param {Omit<PairError, "columns">} rest */
  const add = (columns, rest) => {
    if (columns.length !== 2) return;
    const places = columns.map((name) => position.get(name) ?? -1).sort((a, b) => a - b);
    const pair = /** @type {PairError} */ ({ columns: places, ...rest });
    const kept = best.get(places.join());
    if (!kept || (pair.error ?? Infinity) < (kept.error ?? Infinity)) best.set(places.join(), pair);
  };
  for (const it of report.errors?.marginals ?? []) {
    const { bound: error, relation, mostly_noise: unreliable } = it;
    add(it.columns, { error, best: report.errors?.best_possible ?? 0, relation, unreliable });
  }
  if (!report.errors) {
    for (const it of report.two_way) {
      const error = it.error + it.expected_noise;
      add(it.columns, { error, best: it.expected_noise, relation: null, unreliable: false });
    }
  }
  return [...best.values()].sort((a, b) => (b.error ?? Infinity) - (a.error ?? Infinity));
}

/** @param {{report: ModelReport, pairs: PairError[]}} props */
function Pairs({ report, pairs }) {
  const [pointed, point] = useState(/** @type {PairError | null} */ (null));
  const columns = report.columns.map((column) => column.name);
  if (pairs.length === 0) return html`<p>${words.noPairs}</p>`;
  return html`
    <p>
      ${report.errors ? words.pairsMeasured(percent(report.errors.best_possible)) : words.pairsFitted}${" "}
      ${report.errors && report.errors.left_out > 0 && words.pairsLeftOut(grouped(report.errors.left_out))}
    </p>
    <${MapLegend} crosses=${pairs.some((pair) => pair.unreliable)} />
    ${columns.length <= MOST_COLUMNS
      ? html`<${Scroll} label=${words.mapLabel}>
            <${HeatMap} columns=${columns} pairs=${pairs} point=${point} pointed=${pointed} />
          <//>
          <p class="pointed-pair">${pointed ? html`<${PairInWords} pair=${pointed} columns=${columns} />` : words.pointAtMap}</p>`
      : html`<p class="faint">${words.noMap(MOST_COLUMNS)}</p>`}
    <h3>${words.worstPairs}</h3>
    <${Lazy}
      items=${pairs}
      most=${20}
      show=${(/** @type {PairError[]} */ some) => html`<${Scroll} label=${words.worstPairs}>
        <table class="pairs">
          <thead>
            <tr><th>${words.column}</th><th>${words.column}</th><th class="number">${words.errorUpTo}</th>
              <th class="number">${words.bestPossible}</th><th>${words.judgement}</th></tr>
          </thead>
          <tbody>
            ${some.map(
              (pair) => html`<tr>
                <td><${Foreign} text=${columns[pair.columns[0]]} /></td>
                <td><${Foreign} text=${columns[pair.columns[1]]} /></td>
                <td class="number">${pair.error === null ? words.unknown : percent(pair.error)}</td>
                <td class="number">${percent(pair.best)}</td>
                <td>${pair.unreliable ? `× ${words.doNotRely}` : ""}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      <//>`}
    />
  `;
}

/** @param {{pair: PairError, columns: string[]}} props */
function PairInWords({ pair, columns }) {
  return html`${names(pair.columns.map((i) => columns[i] ?? ""))}:${" "}
    ${pair.error === null ? words.nothingKnown : words.offBy(percent(pair.error), percent(pair.best))}
    ${pair.relation !== null && `; ${words.relation(percent(pair.relation))}`}${pair.unreliable && `; × ${words.doNotRely}`}`;
}

/** @param {{report: ModelReport}} props */
function Spent({ report }) {
  const { spent, guarantees } = report;
  return html`
    ${spent &&
    html`<p>${words.theBudget} <${Sentence} text=${spent.budget} />.</p>
      <${Scroll} label=${words.spent}>
        <table>
          <thead><tr><th>${words.purpose}</th><th class="number">${words.spends}</th><th class="number">${words.shareOfBudget}</th></tr></thead>
          <tbody>
            ${spent.groups.map(
              (group) => html`<tr>
                <th scope="row">${group.purpose}</th>
                <td class="number">${group.spends > 0 ? grouped(group.spends) : ""}</td>
                <td class="number">${percent(group.share)}
                  <svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                    <rect class="first" width=${100 * group.share} height="10" />
                  </svg>
                </td>
              </tr>`,
            )}
          </tbody>
        </table>
      <//>`}
    ${guarantees && guarantees.length > 0 &&
    html`<h2>${words.guaranteed}</h2>
      ${guarantees.map(({ odds }) => html`<p><${Sentence} text=${odds} /></p>`)}
      <details>
        <summary>${words.asFormulas}</summary>
        <ul>${guarantees.map(({ formula }) => html`<li><${Sentence} text=${formula} /></li>`)}</ul>
      </details>`}
  `;
}
