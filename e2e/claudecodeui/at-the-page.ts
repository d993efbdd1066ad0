/** What a person does at claudecodeui's page, and sees on the hub's dashboard. */
import type { Page } from "playwright-core";

/** How long anything may take on a machine that is busy. */
export const PATIENCE_MS = 30_000;

/** What the fake of Anthropic's API answers in the end, a paragraph at a time. */
export const ANSWER = ["The answer comes", "word by word", "and is forty-two."];
export const LAST_WORDS = "and is forty-two.";

/** Makes the folder `path` a project and waits for its chat. */
export async function createProject(page: Page, path: string): Promise<void> {
  await page.getByRole("button", { name: "Create new project" }).click();
  await page.getByPlaceholder("/path/to/project/workspace").fill(path);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("button", { name: "Create Project", exact: true }).click();
  await page.getByRole("tab", { name: "Chat" }).waitFor();
}

/** Sends a prompt in the chat that is open. */
export async function say(page: Page, prompt: string): Promise<void> {
  await page.getByPlaceholder("ask Claude anything").fill(prompt);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** Waits until the dashboard's card shows a status, or that it needs permission. */
export async function cardIs(dashboard: Page, step: string): Promise<void> {
  const attribute = step === "needs permission" ? "[data-state=needs_permission]" : `[data-status=${step}]`;
  await dashboard.locator(`.card${attribute}`).waitFor();
}
