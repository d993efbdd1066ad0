import { randomBytes } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { HeaderList } from "./adapter.ts";
import { CompressedCopies } from "./compressed-copies.ts";
import { planBody, type BodyOptions } from "./response-body.ts";
import { fieldOf } from "./upstream-headers.ts";

const options = (changes: Partial<BodyOptions> = {}): BodyOptions => ({
  method: "GET",
  target: "/file",
  accepted: "gzip, deflate, br",
  askedTags: undefined,
  isPersonal: false,
  rewriteBody: undefined,
  copies: new CompressedCopies(),
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

  it.each([
    ["nothing the browser takes", undefined],
    ["a refusal", "br;q=0, gzip;q=0.0"],
  ])("leaves alone, but says that it might not be: %s", (_what, accepted) => {
    const plan = planBody(answer(TEXT), options({ accepted }));
    expect(plan.steps).toEqual([]);
    expect(plan.response.headers).toEqual([...TEXT, ["vary", "accept-encoding"]]);
  });

  it.each([
    ["Origin", ["Origin", "accept-encoding"]],
    ["origin, Accept-Encoding", ["origin, Accept-Encoding"]],
    ["*", ["*"]],
  ])("adds to what an answer varies by, once: %s", (vary, expected) => {
    const { response } = planBody(answer([...TEXT, ["vary", vary]]), options());
    expect(response.headers.filter(([name]) => name === "vary").map(([, value]) => value)).toEqual(expected);
  });

  it("weakens the ETag: these are not the bytes it named", () => {
    const plan = planBody(answer([...TEXT, ["etag", '"one"']]), options());
    expect(fieldOf(plan.response.headers, "etag")).toBe('W/"one"');
  });

  it.each([
    ["by the weak form of the tag", 'W/"one"', 'W/"one"'],
    ["by several", '"other", W/"one"', 'W/"one"'],
    ["by the tag itself: what it has was not compressed", '"one"', '"one"'],
    ["by its time", undefined, '"one"'],
  ])("is nothing that a 304 speaks of, asked %s", (_how, askedTags, expected) => {
    const { response } = planBody(answer([["etag", '"one"']], 304), options({ askedTags }));
    expect(fieldOf(response.headers, "etag")).toBe(expected);
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

describe("a file that does not change", () => {
  const FILE: HeaderList = [...TEXT, ["etag", '"one"']];
  const body = Buffer.from("words ".repeat(1000));

  /** Asks twice; returns the steps and the body of the second plan. */
  async function twice(
    headers: HeaderList,
    second: Partial<BodyOptions> & { headers?: HeaderList; status?: number } = {},
    first: Partial<BodyOptions> = {},
  ) {
    const copies = new CompressedCopies();
    await run(body, planBody(answer(headers), options({ copies, ...first })));
    const { headers: then = headers, status, ...changes } = second;
    return planBody(answer(then, status), options({ copies, ...changes }));
  }

  it.each<[string, HeaderList, Partial<BodyOptions>?]>([
    ["a strong validator", FILE],
    ["immutable", [...TEXT, ["etag", 'W/"one"'], ["cache-control", "public, max-age=31536000, immutable"]]],
    ["differing as files do", [...FILE, ["vary", "Origin"], ["vary", "Accept-Encoding"]]],
    ["for everybody, asked for with a cookie", [...FILE, ["cache-control", "public"]], { isPersonal: true }],
  ])("is compressed once: %s", async (_what, headers, asked = {}) => {
    const plan = await twice(headers, asked, asked);
    expect(plan.steps).toEqual([]);
    expect(brotliDecompressSync(plan.body ?? Buffer.alloc(0))).toEqual(body);
    expect(fieldOf(plan.response.headers, "content-length")).toBe(String(plan.body?.byteLength));
    expect(fieldOf(plan.response.headers, "content-encoding")).toBe("br");
    expect(fieldOf(plan.response.headers, "etag")).toBe('W/"one"');
  });

  it.each<[string, HeaderList, Parameters<typeof twice>[1]?, Partial<BodyOptions>?]>([
    ["another version", FILE, { headers: [...TEXT, ["etag", '"two"']] }],
    ["another address", FILE, { target: "/file?2" }],
    ["another encoding", FILE, { accepted: "gzip" }],
    ["a weak validator", [...TEXT, ["etag", 'W/"one"']]],
    ["no validator", [...TEXT, ["cache-control", "immutable"]]],
    ["unknown length", FILE.filter(([name]) => name !== "content-length")],
    ["private", [...FILE, ["cache-control", "private"]]],
    ["private, said second", [...FILE, ["cache-control", "max-age=1"], ["cache-control", "private"]]],
    ["with a cookie", [...FILE, ["set-cookie", "a=1"]]],
    ["asked for with a cookie, by one", FILE, {}, { isPersonal: true }],
    ["asked for with a cookie, by another", FILE, { isPersonal: true }],
    ["differing by person", [...FILE, ["cache-control", "public, immutable"], ["vary", "origin, cookie"]]],
    ["differing by anything", [...FILE, ["vary", "*"]]],
    ["a form's answer", FILE, {}, { method: "POST" }],
    ["an error", FILE, { status: 404 }],
    ["a document that is rewritten", FILE, { rewriteBody: (text) => text }],
  ])("is compressed anew where it may not be the same: %s", async (_what, headers, second, first) => {
    const plan = await twice(headers, second, first);
    expect(plan.body).toBeUndefined();
    expect(plan.steps.length).toBeGreaterThan(0);
  });

  it.each<[string, number, Partial<BodyOptions>]>([
    ["HEAD", 200, { method: "HEAD" }],
    ["a range", 206, {}],
  ])("is nothing to an answer without that body: %s", async (_what, status, changes) => {
    const plan = await twice(FILE, { status, ...changes });
    expect([plan.body, plan.steps, plan.response.headers]).toEqual([undefined, [], FILE]);
  });

  it("that broke off is not kept", async () => {
    const copies = new CompressedCopies();
    const { steps } = planBody(answer(FILE), options({ copies }));
    const [step] = steps;
    step?.on("error", () => undefined).resume();
    step?.write(body);
    step?.destroy(new Error("broke off"));
    await new Promise((resolve) => step?.once("close", resolve));
    expect(planBody(answer(FILE), options({ copies })).body).toBeUndefined();
  });

  it("makes room for another that is used more", async () => {
    const noise = () => randomBytes(5000);
    const copies = new CompressedCopies(16_000);
    const load = async (target: string) => {
      const plan = planBody(answer(FILE), options({ copies, target }));
      if (plan.body === undefined) await run(noise(), plan);
      return plan.body !== undefined;
    };
    for (const target of ["/1", "/2", "/3"]) expect(await load(target)).toBe(false);
    expect(await load("/1")).toBe(true);
    expect(await load("/4")).toBe(false);
    expect([await load("/1"), await load("/2")]).toEqual([true, false]);
  });

  it("counts its address against what may be kept", async () => {
    const copies = new CompressedCopies(16_000);
    const load = async (target: string) => {
      const plan = planBody(answer(FILE), options({ copies, target }));
      if (plan.body === undefined) await run(body, plan);
      return plan.body !== undefined;
    };
    const address = (name: number) => `/?${name}${"a".repeat(7000)}`;
    for (const name of [1, 2, 3]) expect(await load(address(name))).toBe(false);
    expect(await load(address(1))).toBe(false);
    expect(await load(address(3))).toBe(true);
  });

  it("of more than 4 MiB, compressed, is not kept", async () => {
    const copies = new CompressedCopies();
    await run(randomBytes(4.2 * 1024 * 1024), planBody(answer(FILE), options({ copies })));
    expect(planBody(answer(FILE), options({ copies })).body).toBeUndefined();
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
    expect(plan.response.headers).toEqual([
      ["content-type", "text/html"],
      ["vary", "accept-encoding"],
    ]);
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
