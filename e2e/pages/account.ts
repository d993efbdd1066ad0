/** What is behind a person's name in the header of every page. */
import type { Page } from "playwright-core";

export async function signOut(page: Page): Promise<void> {
  await page.click(".account");
  await page.click("text=Sign out");
}
