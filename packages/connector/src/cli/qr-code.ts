/** A link as a QR code that phones read from a terminal: two modules of it in one character, one above the other. */
import { encode } from "uqr";

/** Light modules around it, as the standard wants at least for dark surroundings; two do in practice. */
const BORDER = 2;

/** Its lines: full blocks and halves are dark, spaces are light. */
export function drawQrCode(text: string): string[] {
  const { data, size } = encode(text, { ecc: "L", border: BORDER });
  const isDark = (row: number, column: number) => data[row]?.[column] === true;
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = "";
    for (let column = 0; column < size; column++)
      line += HALVES[Number(isDark(row, column)) * 2 + Number(isDark(row + 1, column))] ?? "";
    lines.push(line);
  }
  return lines;
}

/** By the upper module and the lower one. */
const HALVES = [" ", "▄", "▀", "█"];
