/** Reports of a status that come too fast: what they may cost, and that the last word is true all the same. */
import { env } from "cloudflare:workers";
import type { ClaudeSession } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { connectFake } from "../../test/fake-connector.ts";
import { instanceOf, ownerWithToken } from "../../test/hub.ts";
import { tunnelOf } from "../../test/viewer.ts";
import { UserHub } from "../user-hub/user-hub.ts";

const OWNER = "github:flood";
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const session = (since: number): ClaudeSession => ({ id: "s", state: "working", since, project: "/p" });
const busy = (since: number) => ({ status: "busy" as const, sessions: [session(since)] });
const hub = () => env.USER_HUB.getByName(OWNER);

test("of a flood of reports few go on, and the last one does", { timeout: 30_000 }, async () => {
  const connector = await connectFake(token, "flood");
  const told = vi.spyOn(UserHub.prototype, "instanceStatus");
  for (let since = 1; since <= 3000; since++) connector.sendStatus(busy(since));
  await expect
    .poll(async () => (await instanceOf(hub(), "flood"))?.sessions[0]?.since, { timeout: 20_000 })
    .toBe(3000);
  expect(told.mock.calls.length).toBeLessThan(700);
});

test("what waits to go on is nothing once its connection has ended, or another has taken its place", async () => {
  const first = await connectFake(token, "ends");
  for (let since = 1; since <= 800; since++) first.sendStatus(busy(since));
  await connectFake(token, "ends");
  const told = vi.spyOn(UserHub.prototype, "instanceStatus");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(told).not.toHaveBeenCalled();
  expect(await instanceOf(hub(), "ends")).toMatchObject({ status: "idle", sessions: [], connected: true });
});

test("a session that changes now and then is told of at once", async () => {
  const connector = await connectFake(token, "calm");
  const told = vi.spyOn(UserHub.prototype, "instanceStatus");
  for (let since = 1; since <= 50; since++) connector.sendStatus(busy(since));
  await (await tunnelOf(OWNER, "calm")).presence(OWNER);
  await expect.poll(() => told.mock.calls.length).toBe(50);
});
