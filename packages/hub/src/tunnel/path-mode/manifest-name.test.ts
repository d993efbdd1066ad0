/** How a manifest is known, whoever asks for it. */
import { describe, expect, test } from "vitest";
import { pathInstance } from "../../../test/path-viewer.ts";

const json = (body: object) =>
  ({
    http(stream: { respond(head: object): void; write(data: Uint8Array): void; end(): void }) {
      stream.respond({ status: 200, headers: [["content-type", "application/json"]] });
      stream.write(new TextEncoder().encode(JSON.stringify(body)));
      stream.end();
    },
  }) as never;

describe("a manifest", () => {
  test.each([
    ["empty", "/manifest.json", true],
    ["manifest", "/app.json", true],
    ["empty", "/app.json", false],
  ])(
    "is known by what asks for it or by its name, as a service worker does: %s %s",
    async (dest, path, isOne) => {
      const app = json({ start_url: "/", scope: "/" });
      const { look, prefix } = await pathInstance("ann", `manifest-${dest}-${isOne}`, app);
      const answer = await look(path, { headers: { "sec-fetch-dest": dest } });
      expect(await answer.json()).toEqual(
        isOne ? { start_url: `${prefix}/`, scope: prefix } : { start_url: "/", scope: "/" },
      );
    },
  );
});
