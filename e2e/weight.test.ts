/** How much a browser fetches before the dashboard stands: counted, as it comes over the wire. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startStage, type Stage } from "./pages/stage.ts";

const MAX_STYLESHEET_BYTES = 15_000;
const MAX_FIRST_LOAD_BYTES = 60_000;

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());

it("the one stylesheet is less than 15 KB", () => {
  const stylesheet = path.join(import.meta.dirname, "../packages/hub/public/app.css");
  expect(readFileSync(stylesheet).byteLength).toBeLessThan(MAX_STYLESHEET_BYTES);
});

it("what a page fetches the first time is less than 60 KB, the way there by a link included", async () => {
  const puppets = await Promise.all(Array.from({ length: 5 }, () => stage.instance()));
  const context = await stage.profile();
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  let bytes = 0;
  network.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto(await stage.hub.signInLink(), { waitUntil: "networkidle" });
  for (const { card } of puppets) await page.waitForSelector(card);
  console.log(`first load of a dashboard with five instances: ${bytes} bytes`);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(MAX_FIRST_LOAD_BYTES);
});
