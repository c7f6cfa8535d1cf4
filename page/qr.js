// A text as a QR code: drawn as one path, dark on light in every colour scheme.

import { html, useMemo } from "./vendor/preact-htm.js";
import qrcode from "./vendor/qrcode.js";

/** Light modules around the code, which readers need. */
const MARGIN = 4;

/** @param {{text: string, label: string}} props */
export function QrCode({ text, label }) {
  const [side, path] = useMemo(() => draw(text), [text]);
  return html`<svg
    class="qr"
    role="img"
    aria-label=${label}
    viewBox=${`0 0 ${side} ${side}`}
    shape-rendering="crispEdges"
  >
    <rect width=${side} height=${side} fill="#fff" />
    <path d=${path} fill="#000" />
  </svg>`;
}

/** @param {string} text @returns {[number, string]} */
function draw(text) {
  const code = qrcode(0, "L");
  code.addData(text);
  code.make();
  const count = code.getModuleCount();
  let path = "";
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (code.isDark(row, column)) path += `M${column + MARGIN} ${row + MARGIN}h1v1h-1z`;
    }
  }
  return [count + 2 * MARGIN, path];
}
