// Numbers, times and other people's texts, as a person reads them.

import { words } from "./words.js";

/** Longest text of somebody else that is put on the page, in characters. */
const LONGEST = 300;

/**
 * What a screen would obey or hide: control characters, marks that turn the direction of writing,
 * and characters without width.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

/**
 * A text that somebody else wrote, cut where it is as long as a book, in which what a screen would
 * obey or hide is shown by its code.
 * @param {string} text @param {number} [most]
 */
export function shown(text, most = LONGEST) {
  const short = text.length > most ? `${[...text.slice(0, most)].join("")}…` : text;
  return short.replace(
    UNSEEN,
    (c) => `\\u{${/** @type {number} */ (c.codePointAt(0)).toString(16)}}`,
  );
}

/** The same of a text whose lines stay lines. @param {string} text @param {number} most */
export function shownLines(text, most) {
  return text
    .split("\n")
    .map((line) => shown(line, most))
    .join("\n");
}

/** A share of the rows as a percentage. @param {number} share */
export function percent(share) {
  const value = 100 * share;
  return value > 0 && value < 0.05 ? words.underTenth : `${value.toFixed(1).replace("-", "−")} %`;
}

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A whole number with a comma before every three digits. @param {number} value */
export function grouped(value) {
  return WHOLE.format(value);
}

const SIZES = ["bytes", "kB", "MB", "GB", "TB"];

/** @param {number} bytes */
export function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${SIZES[unit]}`;
}

const TIME = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

/** @param {string} moment */
export function time(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? shown(moment) : TIME.format(date);
}

/** A hash in groups of four, as it is read out. @param {string} hex */
export function grouping(hex) {
  return hex.replace(/(.{4})(?=.)/g, "$1 ");
}
