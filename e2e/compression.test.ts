/** What a local hub sends compressed, as an edge before it would. */
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startHub, type TestHub } from "./hub.ts";
import { Viewer } from "./tunnel/viewer.ts";

let hub: TestHub;
const viewer = new Viewer();

beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.stop());

it("compresses pages and static files for who takes it, and sends them as they are to others", async () => {
  const url = `${hub.origin}/auth/sign-in`;
  const stylesheet = /href="([^"]+app\.css)"/.exec((await viewer.fetch(url)).body.toString())?.[1] ?? "";
  for (const address of [url, hub.origin + stylesheet]) {
    const plain = await viewer.fetch(address);
    expect([plain.headers["content-encoding"], plain.headers.vary]).toEqual([undefined, "accept-encoding"]);
    const packed = await viewer.fetch(address, { headers: { "accept-encoding": "br, gzip;q=0.8" } });
    expect([packed.status, packed.headers["content-encoding"]]).toEqual([200, "gzip"]);
    expect(packed.body.byteLength).toBeLessThan(plain.body.byteLength);
    if (address !== url) expect(gunzipSync(packed.body)).toEqual(plain.body);
    else expect(gunzipSync(packed.body).toString()).toContain("<!doctype html>");
    const refused = await viewer.fetch(address, { headers: { "accept-encoding": "gzip;q=0, identity" } });
    expect(refused.headers["content-encoding"]).toBeUndefined();
  }
});
