/** axe-core in a page, whatever its Content-Security-Policy: the debugger puts it there, not the page. */
import axe from "axe-core";
import type { Frame, Page } from "playwright-core";

const LOOKS = [
  { width: 1440, colorScheme: "light" },
  { width: 1440, colorScheme: "dark" },
  { width: 390, colorScheme: "light" },
  { width: 390, colorScheme: "dark" },
] as const;

/** WCAG 2.2 A and AA with everything before it, and what axe calls best practice. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/**
 * What axe finds wrong with a page, wide and narrow, light and dark: `<look>: <rule> at <elements>`. `part`: a selector of what
 * is looked at, or a frame of the page; default is all of it.
 */
export async function axeFindings(page: Page, part: string | Frame = "html"): Promise<string[]> {
  const found: string[] = [];
  for (const { width, colorScheme } of LOOKS) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const findings = typeof part === "string" ? findingsIn(page, part) : findingsIn(part, "html");
    found.push(...(await findings).map((finding) => `${width} px, ${colorScheme}: ${finding}`));
  }
  return found;
}

async function findingsIn(shown: Page | Frame, part: string): Promise<string[]> {
  await shown.evaluate(axe.source);
  return shown.evaluate(
    async ([selector, tags]) => {
      const { axe: here } = window as unknown as { axe: typeof axe };
      const { violations } = await here.run(selector, { runOnly: { type: "tag", values: tags } });
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id} at ${target.join(" ")}: ${failureSummary ?? ""}`),
      );
    },
    [part, TAGS] as const,
  );
}
