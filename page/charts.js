// Drawings, with the scales and colours of the report's own page (crates/report/src/bars.rs and
// heat_map.rs): bars with their error bars, and the map of pairs.

import { html } from "./vendor/preact-htm.js";
import { percent, shown } from "./format.js";
import { words } from "./words.js";

// In the drawing's units, which are pixels at its full size.
const WIDTH = 340;
const WIDEST_LABEL = 120;
const FIGURES = 104;
const ROW = 20;
const FOOT = 18;

/** A cautious guess of how wide a text of 11 pixels is. @param {string} text */
function widthOf(text) {
  let width = 0;
  for (const c of text) width += c < "\u0080" ? 6.4 : 11;
  return width;
}

/** As much of a text as has room. @param {string} text @param {number} width */
function fitting(text, width) {
  const whole = shown(text);
  if (widthOf(whole) <= width) return whole;
  let short = "";
  for (const c of whole) {
    if (widthOf(`${short}${c}…`) > width) break;
    short += c;
  }
  return `${short}…`;
}

/**
 * A column's values: what was released with its 95 % interval, and what is synthetic. Every figure
 * and its bound stand beside the bar.
 * @param {{column: string, bars: Bar[]}} props
 */
export function Distribution({ column, bars }) {
  const ends = bars.flatMap((bar) => [(bar.released ?? 0) + bar.error, bar.synthetic ?? 0]);
  const largest = Math.max(1e-9, ...ends);
  const height = ROW * bars.length + FOOT;
  const widest = Math.max(20, ...bars.map((bar) => widthOf(shown(bar.label, 40))));
  const left = Math.min(widest, WIDEST_LABEL) + 6;
  const scale = (WIDTH - left - FIGURES) / largest;
  return html`<svg
    class="bars"
    role="img"
    aria-label=${words.chartLabel(shown(column, 60), bars.map((bar) => words.barInWords(shown(bar.label, 40), figures(bar))).join("; "))}
    viewBox=${`0 0 ${WIDTH} ${height}`}
  >
    ${bars.map((bar, i) => OneBar(bar, left, ROW * i, scale))}
    <line class="axis" x1=${left} y1="0" x2=${left} y2=${height - FOOT} />
    <line class="axis" x1=${left} y1=${height - FOOT} x2=${WIDTH - FIGURES} y2=${height - FOOT} />
    <text class="faint" x=${left} y=${height - 5}>0</text>
    <text class="faint" text-anchor="end" x=${WIDTH - FIGURES} y=${height - 5}>${percent(largest)}</text>
  </svg>`;
}

/** @param {Bar} bar */
function figures({ released, synthetic, error }) {
  // The error is that of what was released.
  if (released === null) return percent(synthetic ?? 0);
  return error > 0 ? `${percent(released)} ± ${percent(error).replace(" %", "")}` : percent(released);
}

/** @param {Bar} bar @param {number} left @param {number} top @param {number} scale */
function OneBar(bar, left, top, scale) {
  const { label, released, synthetic, error } = bar;
  // Noise can make a count negative, and a bar has no negative length.
  const length = (/** @type {number} */ share) => Math.max(0, share * scale);
  const place = (/** @type {number} */ share) => left + length(share);
  const known = (/** @type {number | null} */ share) => (share === null ? words.unknown : percent(share));
  const [low, high] = [place((released ?? 0) - error), place((released ?? 0) + error)];
  return html`<g>
    <title>${words.barTitle(shown(label), known(released), percent(error), known(synthetic))}</title>
    <rect class="hit" x="0" y=${top} width=${WIDTH} height=${ROW} />
    <text x=${left - 6} y=${top + 14} text-anchor="end">${fitting(label, left - 6)}</text>
    ${released !== null && html`<rect class="first" x=${left} y=${top + 2} width=${length(released)} height="8" />`}
    ${synthetic !== null && html`<rect class="second" x=${left} y=${top + 11} width=${length(synthetic)} height="6" />`}
    ${released !== null && error > 0 && html`<path class="error" d=${`M${low} ${top + 6}H${high}M${low} ${top + 3}v6M${high} ${top + 3}v6`} />`}
    <text class="faint figure" x=${WIDTH} y=${top + 14} text-anchor="end">${figures(bar)}</text>
  </g>`;
}

/** What the colours of the bars mean. */
export function BarLegend() {
  return html`<p class="legend">
    <span><i class="key first"></i>${words.released}</span>
    <span><i class="key second"></i>${words.synthetic}</span>
    <span>├─┤ ${words.ofNoise}</span>
  </p>`;
}

/** Where a colour of the map gives way to the next, in times the best possible. */
const BOUNDS = [1.5, 3, 6, 12];

/** @param {PairError} pair */
function classOf({ error, best }) {
  if (error === null) return "hn";
  const times = error / Math.max(best, 1e-9);
  return `h${BOUNDS.filter((bound) => times > bound).length}`;
}

const NAMES = 150;

/** More columns than this make squares that nobody can tell apart. */
export const MOST_COLUMNS = 100;

/**
 * A square for each pair below the diagonal, which names its pair when it is pointed at.
 * @param {{columns: string[], pairs: PairError[], point: (pair: PairError) => void, pointed: PairError | null}} props
 */
export function HeatMap({ columns, pairs, point, pointed }) {
  const figures = columns.length <= 16;
  const side = figures ? 34 : columns.length <= 40 ? 19 : 12;
  const row = Math.max(side, 15);
  const left = NAMES + 26;
  const [width, height] = [left + side * columns.length, row * columns.length + 18];
  return html`<svg
    class="map"
    role="img"
    aria-label=${words.mapLabel}
    viewBox=${`0 0 ${width} ${height}`}
    width=${width}
    height=${height}
  >
    ${columns.map(
      (name, i) => html`<g>
        <title>${shown(name)}</title>
        <text x=${NAMES} y=${row * i + row / 2 + 4} text-anchor="end">${fitting(name, NAMES)}</text>
        <text class="faint" x=${left - 5} y=${row * i + row / 2 + 4} text-anchor="end">${i + 1}</text>
        ${(side > 15 || i % 5 === 4) &&
        html`<text class="faint" x=${left + side * i + side / 2} y=${height - 4} text-anchor="middle">${i + 1}</text>`}
      </g>`,
    )}
    ${pairs.map((pair) => {
      const [x, y] = [left + side * pair.columns[0], row * pair.columns[1]];
      const kind = classOf(pair);
      return html`<g class=${pair === pointed ? "pointed" : ""} onPointerEnter=${() => point(pair)} onClick=${() => point(pair)}>
        <rect class=${`cell ${kind}`} x=${x} y=${y} width=${side} height=${row} />
        ${figures && pair.error !== null &&
        html`<text class=${kind === "h4" ? "chalk" : "ink"} text-anchor="middle" x=${x + side / 2} y=${y + row / 2 + 3.5}>
          ${(100 * pair.error).toFixed(1)}
        </text>`}
        ${pair.unreliable && html`<path class=${`cross ${kind}-cross`} d=${`M${x + side - 7.5} ${y + row - 7.5}l5 5m0 -5l-5 5`} />`}
      </g>`;
    })}
  </svg>`;
}

/** What the colours of the map mean. @param {{crosses: boolean}} props */
export function MapLegend({ crosses }) {
  return html`<p class="legend">
    ${words.mapClasses.map((text, i) => html`<span><i class=${`key h${i}`}></i>${text}</span>`)}
    <span><i class="key hn"></i>${words.nothingKnown}</span>
    ${crosses && html`<span>× ${words.doNotRely}</span>`}
  </p>`;
}
