/** Bodies of requests on their way to an instance: their memory is used again, so every byte is looked at. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import type { Stream } from "@ai-orchestrator/protocol";
import { connectFake, type FakeConnector } from "../../test/fake-connector.ts";
import { admit } from "../../test/hub.ts";
import { view } from "../../test/viewer.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { upsertUser } from "../db/users.ts";

const OWNER = "github:1";
const MIB = 1024 * 1024;
let token: string;

beforeAll(async () => {
  await upsertUser(env.DB, { id: OWNER, login: "ann", name: "Ann" }, Date.now());
  await admit(OWNER);
  ({ text: token } = await issueInstanceToken(env.DB, { userId: OWNER, name: "test" }));
});

/** Bytes of which no two pieces are the same. */
function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(size / 4);
  for (let index = 0; index < words.length; index++) words[index] = index * 2654435761;
  return new Uint8Array(words.buffer);
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].join(" ");
}

/** An application that keeps what it is sent, and says when it has it all. */
async function keeper(
  clientId: string,
  size: number,
  slow = false,
): Promise<[FakeConnector, Uint8Array<ArrayBuffer>]> {
  const kept = new Uint8Array(size);
  let length = 0;
  const http = (stream: Stream) => {
    stream.handler = {
      data(payload) {
        kept.set(payload, length);
        length += payload.byteLength;
        const { byteLength } = payload;
        if (slow) setTimeout(() => stream.consume(byteLength), 1);
        else stream.consume(byteLength);
      },
      end() {
        stream.respond({ status: 200, headers: [] });
        stream.write(new TextEncoder().encode(String(length)));
        stream.end();
      },
      reset() {},
      writable() {},
    };
  };
  return [await connectFake(token, clientId, { http }), kept];
}

it.each<[string, number, boolean]>([
  ["small", 100, false],
  ["large", 3 * MIB, false],
  ["large, to one who is slow", 3 * MIB, true],
])("a %s body arrives as it was sent", async (_what, size, slow) => {
  const id = `keeps-${size}-${slow}`;
  const [connector, kept] = await keeper(id, size, slow);
  const before = connector.binaryMessages();
  const sent = bytesOf(size);
  const response = await view(OWNER, id, "/", { method: "POST", body: sent.slice() });
  expect(await response.text()).toBe(String(size));
  expect(await hash(kept)).toBe(await hash(sent));
  // In messages of 64 KiB it would be 48.
  expect(connector.binaryMessages() - before).toBeLessThan(32);
});

it("bodies side by side do not mix", async () => {
  const sizes = [MIB, MIB, MIB, MIB];
  const keepers = await Promise.all(sizes.map((size, index) => keeper(`beside-${index}`, size)));
  const sent = sizes.map((size, index) => bytesOf(size).map((byte) => byte ^ index));
  const answers = sent.map((body, index) =>
    view(OWNER, `beside-${index}`, "/", { method: "PUT", body: body.slice() }),
  );
  for (const answer of answers) expect((await answer).status).toBe(200);
  for (const [index, [, kept]] of keepers.entries())
    expect(await hash(kept)).toBe(await hash(sent[index] ?? new Uint8Array()));
});
