/** Draws the icons of the installed app from the one in the tab: `npm run icons`, after a change of icon.svg. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { launchBrowser } from "./browser.ts";

const FOLDER = path.resolve(import.meta.dirname, "../packages/hub/public");

/** `whole`: the background fills the square, for systems that cut their own shape out of it, and the rest keeps to its middle. */
const ICONS = [
  { file: "icon-192.png", size: 192, whole: false },
  { file: "icon-512.png", size: 512, whole: false },
  { file: "icon-180.png", size: 180, whole: true },
  { file: "icon-maskable-512.png", size: 512, whole: true },
];

const browser = await launchBrowser();
try {
  const svg = await readFile(path.join(FOLDER, "icon.svg"), "utf8");
  for (const { file, size, whole } of ICONS) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    const drawing = whole
      ? svg
          .replace('viewBox="0 0 32 32"', 'viewBox="-3 -3 38 38"')
          .replace("<rect ", '<rect x="-9" y="-9" stroke="#1f6f5c" stroke-width="40" ')
      : svg;
    await page.setContent(
      `<!doctype html><style>* { margin: 0 } svg { display: block; width: 100vw }</style>${drawing}`,
    );
    await page.screenshot({ path: path.join(FOLDER, file), omitBackground: true });
    await page.close();
  }
} finally {
  await browser.close();
}
