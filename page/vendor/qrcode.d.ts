// What the page uses of qrcode.js.

export default function qrcode(
  version: number,
  correction: "L" | "M" | "Q" | "H",
): {
  addData(text: string, mode?: "Numeric" | "Alphanumeric" | "Byte"): void;
  make(): void;
  getModuleCount(): number;
  isDark(row: number, column: number): boolean;
};
