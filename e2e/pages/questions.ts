import type { Page } from "playwright-core";

/** Waits until a page asks something, says yes or no, and returns the question. */
export async function answerQuestion(page: Page, isYes: boolean): Promise<string> {
  await page.waitForSelector("#confirm[open]");
  const question = (await page.textContent("#confirm-question")) ?? "";
  await page.click(isYes ? "#confirm [value=yes]" : "#confirm >> text=Cancel");
  return question;
}
