/** What an owner's word for path mode holds for, and when it ends. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { connectFake, type FakeApplication } from "../../../test/fake-connector.ts";
import { instanceOf, ownerWithToken } from "../../../test/hub.ts";
import { OPENED, pathInstance, trustPath } from "../../../test/path-viewer.ts";
import { UserHub } from "../../user-hub/user-hub.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const HOSTILE: FakeApplication = {
  http(stream) {
    stream.respond({ status: 200, headers: [["content-type", "text/html"]] });
    stream.write(new TextEncoder().encode("<script>taken</script>"));
    stream.end();
  },
};

const isTrusted = async (clientId: string) =>
  (await instanceOf(env.USER_HUB.getByName("ann"), clientId))?.pathTrusted;

describe("path mode is allowed for the token an instance connects with", () => {
  test("whoever takes its place with another gets nothing to run on the hub's origin, nor does the first one then", async () => {
    const { look, label } = await pathInstance("ann", "taken");
    expect(await (await look("/")).text()).toBe("hello");
    const other = await ownerWithToken("ann");
    await connectFake(other, "taken", HOSTILE);
    expect([(await look("/")).status, (await look("/", { headers: OPENED })).status]).toEqual([403, 302]);
    await expect.poll(() => isTrusted("taken")).toBe(false);
    await trustPath("ann", label, true);
    expect(await (await look("/")).text()).toContain("taken");
  });

  test("and holds when it connects again with that one", async () => {
    const token = await ownerWithToken("ann");
    const { look, label, connector } = await pathInstance("ann", "again");
    await connectFake(token, "again");
    await trustPath("ann", label, true);
    expect(await connector.closed).toBe("replaced");
    const next = await connectFake(token, "again");
    expect((await look("/")).status).toBe(200);
    next.socket.close(1000);
    await expect.poll(async () => (await look("/")).status).toBe(503);
    await connectFake(token, "again");
    expect((await look("/")).status).toBe(200);
    expect(await isTrusted("again")).toBe(true);
  });
});

test("taken back while it is asked who may use the instance, nothing of it is served", async () => {
  const access = { organization: "acme" };
  let asked = 0;
  const { look, label } = await pathInstance("github:7", "slow-list", {
    access,
    http(stream) {
      asked++;
      stream.respond({ status: 200, headers: [] });
      stream.end();
    },
  });
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  vi.spyOn(UserHub.prototype, "belonging").mockImplementation(async () => {
    reached.resolve();
    await gate.promise;
    return { standing: "member", login: "ann", until: Date.now() + 60_000 };
  });
  const [answer, opened] = [look("/x"), look("/x", { headers: OPENED })];
  await reached.promise;
  await trustPath("github:7", label, false);
  gate.resolve();
  expect([(await answer).headers.get("x-orchestrator-error"), asked]).toEqual(["path_mode_not_allowed", 0]);
  expect((await opened).headers.get("location")).toContain("/path?next=");
});
