/** A hub that only registers, in a process of its own; told to, it goes away for a moment and comes back. */
import { setTimeout as pause } from "node:timers/promises";
import { startFakeHub } from "../../packages/connector/src/testing/fake-hub.ts";

const AWAY_MS = 20;

let hub = await startFakeHub();
const port = Number(new URL(hub.url).port);
let done = Promise.resolve();

process.on("message", () => {
  done = done.then(restart);
});
process.send?.({ port });

async function restart(): Promise<void> {
  await hub.stop();
  await pause(AWAY_MS);
  hub = await startFakeHub(port);
}
