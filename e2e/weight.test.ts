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

it("one stylesheet, and all of it less than 15 KB", () => {
  const stylesheet = path.join(import.meta.dirname, "../packages/hub/public/app.css");
  expect(readFileSync(stylesheet).byteLength).toBeLessThan(MAX_STYLESHEET_BYTES);
});

it("a first load of less than 60 KB, everything in it", async () => {
  const context = await stage.profile();
  const page = await context.newPage();
  await page.goto(await stage.hub.signInLink());
  const puppets = await Promise.all(Array.from({ length: 5 }, () => stage.instance()));
  const first = await context.newPage();
  const network = await context.newCDPSession(first);
  await network.send("Network.enable");
  await network.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  network.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await first.goto(`${stage.hub.origin}/dashboard`, { waitUntil: "networkidle" });
  for (const { card } of puppets) await first.waitForSelector(card);
  console.log(`first load of a dashboard with five instances: ${bytes} bytes`);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(MAX_FIRST_LOAD_BYTES);
});
