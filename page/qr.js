// A text as a QR code (ISO/IEC 18004, bytes, error correction L), drawn as one path, dark on light
// in every colour scheme. The tests compare it with another implementation, module by module.

import { html, useMemo } from "./vendor/preact-htm.js";

/** Light modules around the code, which readers need. */
const MARGIN = 4;

/** @param {{text: string, label: string}} props */
export function QrCode({ text, label }) {
  const [side, path] = useMemo(() => draw(text), [text]);
  return html`<svg class="qr" role="img" aria-label=${label} viewBox=${`0 0 ${side} ${side}`} shape-rendering="crispEdges">
    <rect width=${side} height=${side} fill="#fff" />
    <path d=${path} fill="#000" />
  </svg>`;
}

/** @param {string} text @returns {[number, string]} */
function draw(text) {
  const modules = encode(text);
  const dark = modules.flatMap((row, y) =>
    row.map((on, x) => (on ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : "")),
  );
  return [modules.length + 2 * MARGIN, dark.join("")];
}

/** By version, from 1: bytes of error correction in a block, and blocks. More is not needed here. */
const CORRECTION = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28];
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8];

/** @param {number[]} list @param {number} i */
const at = (list, i) => /** @type {number} */ (list[i]);

/** The code's modules, row by row, true where dark. @param {string} text @returns {boolean[][]} */
export function encode(text) {
  const bytes = [...new TextEncoder().encode(text)];
  for (let version = 1; version <= BLOCKS.length; version += 1) {
    const room = dataBytes(version);
    if (bytes.length + (version < 10 ? 2 : 3) > room) continue;
    return placed(version, withCorrection(version, padded(bytes, version, room)));
  }
  throw new Error("the text is too long for a QR code");
}

/** Modules that hold data: all but the patterns. @param {number} version */
function allBytes(version) {
  const aligned = Math.floor(version / 7) + 2;
  let bits = (16 * version + 128) * version + 64;
  if (version >= 2) bits -= (25 * aligned - 10) * aligned - 55;
  if (version >= 7) bits -= 36;
  return Math.floor(bits / 8);
}

/** @param {number} version */
function dataBytes(version) {
  return allBytes(version) - at(CORRECTION, version - 1) * at(BLOCKS, version - 1);
}

/** Mode, length, the text, an end, and padding. @param {number[]} bytes @param {number} version @param {number} room */
function padded(bytes, version, room) {
  let bits = "0100" + bytes.length.toString(2).padStart(version < 10 ? 8 : 16, "0");
  bits += bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("") + "0000";
  const data = (bits.match(/.{8}/g) ?? []).map((octet) => parseInt(octet, 2));
  for (let pad = 0xec; data.length < room; pad ^= 0xec ^ 0x11) data.push(pad);
  return data;
}

/** Products in the field of 256 elements modulo x^8 + x^4 + x^3 + x^2 + 1. @param {number} a @param {number} b */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ (product >> 7 ? 0x11d : 0);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** Blocks of data and of their Reed-Solomon remainders, each interleaved. @param {number} version @param {number[]} data */
function withCorrection(version, data) {
  const [degree, count] = [at(CORRECTION, version - 1), at(BLOCKS, version - 1)];
  const divisor = Array(degree).fill(0);
  divisor[degree - 1] = 1;
  for (let i = 0, root = 1; i < degree; i += 1, root = times(root, 2)) {
    for (let k = 0; k < degree; k += 1)
      divisor[k] = times(divisor[k], root) ^ (divisor[k + 1] ?? 0);
  }
  const short = Math.floor(data.length / count);
  const long = data.length % count;
  const blocks = Array.from({ length: count }, (_, i) => {
    const start = i * short + Math.max(0, i - (count - long));
    return data.slice(start, start + short + (i >= count - long ? 1 : 0));
  });
  const remainders = blocks.map((block) => {
    const rest = Array(degree).fill(0);
    for (const byte of block) {
      const factor = byte ^ rest.shift();
      rest.push(0);
      divisor.forEach((term, k) => (rest[k] ^= times(term, factor)));
    }
    return rest;
  });
  const interleaved = (/** @type {number[][]} */ all) =>
    Array.from({ length: Math.max(...all.map((one) => one.length)) }, (_, i) =>
      all.filter((one) => i < one.length).map((one) => at(one, i)),
    ).flat();
  return [...interleaved(blocks), ...interleaved(remainders)];
}

/**
 * One of the eight patterns that data may be mixed with. Every reader takes each; which one is
 * easiest to read matters for texts that repeat themselves, and hashes do not.
 * @param {number} x @param {number} y
 */
const mask = (x, y) => (x + y) % 3 === 0;
const MASK_NUMBER = 3;

/** A remainder by a binary polynomial, behind the value itself. @param {number} value @param {number} by @param {number} bits */
function checked(value, by, bits) {
  let rest = value;
  for (let i = 0; i < bits; i += 1) rest = (rest << 1) ^ ((rest >> (bits - 1)) & 1 ? by : 0);
  return (value << bits) | (rest & ((1 << bits) - 1));
}

/** @param {number} version @param {number[]} bytes */
function placed(version, bytes) {
  const side = 4 * version + 17;
  /** @type {(boolean | null)[][]} */
  const grid = Array.from({ length: side }, () => Array(side).fill(null));
  const set = (/** @type {number} */ x, /** @type {number} */ y, /** @type {boolean} */ on) => {
    if (x >= 0 && y >= 0 && x < side && y < side) /** @type {any} */ (grid[y])[x] = on;
  };
  for (let i = 0; i < side; i += 1) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [cx, cy] of /** @type {[number, number][]} */ ([
    [3, 3],
    [side - 4, 3],
    [3, side - 4],
  ])) {
    square(4, (x, y, ring) => set(cx + x, cy + y, ring !== 2 && ring !== 4));
  }
  const places = alignments(version, side);
  const last = places.length - 1;
  places.forEach((cy, i) =>
    places.forEach((cx, k) => {
      if ((i === 0 && (k === 0 || k === last)) || (i === last && k === 0)) return;
      square(2, (x, y, ring) => set(cx + x, cy + y, ring !== 1));
    }),
  );
  // Level L is 1.
  const format = checked(8 | MASK_NUMBER, 0x537, 10) ^ 0x5412;
  for (let i = 0; i < 15; i += 1) {
    const on = ((format >> i) & 1) === 1;
    set(8, i < 6 ? i : i < 8 ? i + 1 : side - 15 + i, on);
    set(i < 8 ? side - 1 - i : i === 8 ? 7 : 14 - i, 8, on);
  }
  set(8, side - 8, true);
  const number = checked(version, 0x1f25, 12);
  for (let i = 0; version >= 7 && i < 18; i += 1) {
    const [a, b] = [side - 11 + (i % 3), Math.floor(i / 3)];
    set(a, b, ((number >> i) & 1) === 1);
    set(b, a, ((number >> i) & 1) === 1);
  }
  fill(grid, bytes);
  return /** @type {boolean[][]} */ (grid);
}

/** Visits a square around its middle, ring by ring. @param {number} reach @param {(x: number, y: number, ring: number) => void} visit */
function square(reach, visit) {
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) visit(x, y, Math.max(Math.abs(x), Math.abs(y)));
  }
}

/** @param {number} version @param {number} side */
function alignments(version, side) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((side - 13) / (2 * count - 2)) * 2;
  const places = Array.from({ length: count - 1 }, (_, i) => side - 7 - i * step);
  return [...places, 6].reverse();
}

/** Two columns at a time, from the right, up and down. @param {(boolean | null)[][]} grid @param {number[]} bytes */
function fill(grid, bytes) {
  const side = grid.length;
  let bit = 0;
  for (let right = side - 1, up = true; right > 0; right -= right === 8 ? 3 : 2, up = !up) {
    for (let i = 0; i < side; i += 1) {
      const y = up ? side - 1 - i : i;
      for (const x of [right, right - 1]) {
        const row = /** @type {(boolean | null)[]} */ (grid[y]);
        if (row[x] !== null) continue;
        const on = (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
        row[x] = on !== mask(x, y);
        bit += 1;
      }
    }
  }
}
