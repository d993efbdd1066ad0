import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { HeaderList } from "./adapter.ts";
import { planBody, type BodyOptions } from "./response-body.ts";
import { fieldOf } from "./upstream-headers.ts";

const options = (changes: Partial<BodyOptions> = {}): BodyOptions => ({
  method: "GET",
  accepted: "gzip, deflate, br",
  rewriteBody: undefined,
  ...changes,
});
const answer = (headers: HeaderList, status = 200) => ({ status, headers });
const TEXT: HeaderList = [
  ["content-type", "text/plain"],
  ["content-length", "5000"],
];

async function run(body: Buffer, { steps }: ReturnType<typeof planBody>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  await pipeline([Readable.from([body]), ...steps, sink]);
  return Buffer.concat(chunks);
}

describe("compression", () => {
  it("uses brotli, else gzip, where the browser takes it", async () => {
    const body = Buffer.from("words ".repeat(1000));
    const brotli = planBody(answer(TEXT), options());
    expect(fieldOf(brotli.response.headers, "content-encoding")).toBe("br");
    expect(fieldOf(brotli.response.headers, "content-length")).toBeUndefined();
    expect(brotliDecompressSync(await run(body, brotli))).toEqual(body);
    const gzip = planBody(answer(TEXT), options({ accepted: "gzip;q=0.5, br;q=0" }));
    expect(gunzipSync(await run(body, gzip))).toEqual(body);
  });

  it.each<[string, HeaderList, number, Partial<BodyOptions>]>([
    ["nothing the browser takes", TEXT, 200, { accepted: undefined }],
    ["a refusal", TEXT, 200, { accepted: "br;q=0, gzip;q=0.0" }],
    ["a part", TEXT, 206, {}],
    ["a HEAD", TEXT, 200, { method: "HEAD" }],
    ["no body", TEXT, 304, {}],
    ["what is compressed", [...TEXT, ["content-encoding", "gzip"]], 200, {}],
    ["what must not change", [...TEXT, ["cache-control", "no-transform"]], 200, {}],
    [
      "pictures",
      [
        ["content-type", "image/png"],
        ["content-length", "5000"],
      ],
      200,
      {},
    ],
    ["event streams", [["content-type", "text/event-stream"]], 200, {}],
    [
      "little",
      [
        ["content-type", "text/plain"],
        ["content-length", "100"],
      ],
      200,
      {},
    ],
  ])("leaves alone: %s", (_what, headers, status, changes) => {
    const plan = planBody(answer(headers, status), options(changes));
    expect(plan.steps).toEqual([]);
    expect(plan.response.headers).toEqual(headers);
  });

  it("weakens the ETag: these are not the bytes it named", () => {
    const plan = planBody(answer([...TEXT, ["etag", '"one"']]), options());
    expect(fieldOf(plan.response.headers, "etag")).toBe('W/"one"');
  });

  it("of an answer of unknown length gives each piece out as it comes in", async () => {
    const { steps } = planBody(answer([["content-type", "application/x-ndjson"]]), options());
    const [step] = steps;
    const first = new Promise<Buffer>((resolve) => step?.once("data", resolve));
    step?.write('{"line":1}\n');
    expect((await first).length).toBeGreaterThan(0);
    step?.destroy();
  });
});

describe("rewriting", () => {
  const rewriteBody = (body: string) => body.replace("<head>", "<head><script></script>");
  const HTML: HeaderList = [
    ["content-type", "text/html"],
    ["content-length", "13"],
    ["etag", '"one"'],
  ];

  it.each([
    ["identity", (body: Buffer) => body],
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
  ])("of a document that came as %s", async (encoding, encode) => {
    const headers: HeaderList = encoding === "identity" ? HTML : [...HTML, ["content-encoding", encoding]];
    const plan = planBody(answer(headers), options({ accepted: undefined, rewriteBody }));
    expect(plan.response.headers).toEqual([["content-type", "text/html"]]);
    expect((await run(encode(Buffer.from("<head>é</head>")), plan)).toString()).toBe(
      "<head><script></script>é</head>",
    );
  });

  it("is compressed again for a browser that takes it", async () => {
    const plan = planBody(answer(HTML), options({ rewriteBody }));
    expect(brotliDecompressSync(await run(Buffer.from("<head></head>"), plan)).toString()).toContain(
      "<script>",
    );
  });

  it("refuses what is too large to be a document", async () => {
    const plan = planBody(answer(HTML), options({ accepted: undefined, rewriteBody }));
    await expect(run(Buffer.alloc(9 * 1024 * 1024), plan)).rejects.toMatchObject({ code: "too_large" });
  });
});
