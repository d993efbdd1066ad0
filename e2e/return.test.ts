/** Many instances come back at once to a hub that was killed: it comes up though they press it, and none is lost. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startHub, type TestHub } from "./hub.ts";
import { Puppet } from "./pages/stage.ts";

/** Each that registers is a line of the hub's log: these are several times what a pipe holds that nobody reads. */
const INSTANCES = 300;
const PATIENCE_MS = 90_000;

let hub: TestHub;
let puppets: Puppet[] = [];

beforeAll(async () => {
  hub = await startHub();
});
afterAll(async () => {
  await Promise.all(puppets.map((puppet) => puppet.stop()));
  await hub.stop();
});

it("comes up again while hundreds dial, and has them all back", { timeout: 2 * PATIENCE_MS }, async () => {
  const token = await hub.createToken();
  const here = new Set<Puppet>();
  puppets = Array.from({ length: INSTANCES }, () => new Puppet(hub, { token, allowOtherUser: true }));
  for (const puppet of puppets) {
    puppet.client.on("connected", () => here.add(puppet));
    puppet.client.on("disconnected", () => here.delete(puppet));
    puppet.client.start();
  }
  const allHere = async () => {
    await expect.poll(() => here.size, { timeout: PATIENCE_MS, interval: 50 }).toBe(INSTANCES);
  };
  await allHere();
  await hub.kill();
  await expect.poll(() => here.size, { timeout: PATIENCE_MS }).toBe(0);
  const killedAt = performance.now();
  await hub.restart();
  await allHere();
  console.log(
    `${INSTANCES} were back ${(performance.now() - killedAt).toFixed(0)} ms after the hub began again`,
  );
  // What the runner asks of the database is answered while they come.
  expect(await hub.createToken()).toMatch(/^orc_/);
});
