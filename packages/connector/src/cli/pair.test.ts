/** What a person sees of pairing, and what is kept of it. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PENDING, startFakePairingHub, type FakePairingHub } from "../testing/fake-pairing-hub.ts";
import { EXIT } from "./exit-codes.ts";
import { pairAtTerminal } from "./pair.ts";
import { drawQrCode } from "./qr-code.ts";
import { Terminal } from "./terminal.ts";

let hub: FakePairingHub;
let folder: string;
beforeEach(async () => {
  [hub, folder] = await Promise.all([startFakePairingHub(), mkdtemp(join(tmpdir(), "pair-"))]);
});
afterEach(async () => {
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Look {
  /** Columns of the terminal; undefined for none. */
  columns?: number;
  env?: NodeJS.ProcessEnv;
  qr?: boolean;
  file?: string;
  /** The hub's link, if it is another. */
  says?: string;
}

function start({ columns, env = {}, qr = true, file = join(folder, "sub/config.json"), says }: Look = {}) {
  if (says !== undefined) hub.link = says;
  const out = Object.assign(new PassThrough(), columns === undefined ? {} : { isTTY: true, columns });
  const input = Object.assign(new PassThrough(), { isTTY: columns !== undefined });
  const stop = new AbortController();
  let text = "";
  out.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  const result = pairAtTerminal({
    url: hub.url,
    clientId: "laptop-abc123",
    metadata: { hostname: "laptop", project: "/p", platform: "linux" },
    allowOtherUser: false,
    file,
    qr,
    terminal: new Terminal(out, env),
    input: input as unknown as NodeJS.ReadStream,
    signal: stop.signal,
  });
  return { result, input, stop, file, raw: () => text, printed: () => stripVTControlCharacters(text) };
}

const GRANT = {
  type: "token_granted",
  token: "orc_secret_token",
  client_id: "laptop-abc123",
  user: "ann",
} as const;

it("shows code, fingerprint and link; keeps hub and token in a file for this user only, and prints no secret", async () => {
  const { result, printed, file } = start();
  await hub.heard("pending_register");
  await expect.poll(printed).toContain("Waiting for 10 min");
  expect(printed()).toMatch(
    /Code +WDJB-MJHT\n +Fingerprint +[0-9a-f]{4}( [0-9a-f]{4}){3}\n +Open +https:\/\/hub\.example\.com\/pair\?code=WDJB-MJHT\n/,
  );
  hub.send(GRANT);
  expect(await result).toBe("orc_secret_token");
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({
    orchestrator: { url: hub.url, token: "orc_secret_token", enabled: true },
  });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, "sub"))).mode & 0o777).toBe(0o700);
  expect(printed()).toContain(`Approved by ann. The token is kept in ${file}\n`);
  expect(printed()).not.toContain("orc_secret");
  expect(printed()).not.toContain(hub.secrets[0]);
});

it("goes on with a token that could not be kept, and says so", async () => {
  await writeFile(join(folder, "taken"), "");
  const { result, printed } = start({ file: join(folder, "taken/config.json") });
  await hub.heard("pending_register");
  hub.send(GRANT);
  expect(await result).toBe("orc_secret_token");
  expect(printed()).toContain("serves this time only");
  expect(printed()).toContain("Approved by ann\n");
});

describe("the QR code", () => {
  const hasPicture = (text: string) => /[▀▄█]{3}/.test(text);

  it.each([
    ["a terminal that is wide enough", { columns: 80 }, true],
    ["one that is not", { columns: 30 }, false],
    ["no terminal", {}, false],
    ["--no-qr", { columns: 80, qr: false }, false],
    [
      "a hub of this machine, where no phone gets",
      { columns: 80, says: "http://hub.localhost:8787/pair?code=B" },
      false,
    ],
  ])("on %s", async (_where, look, isDrawn) => {
    const { result, printed, raw, stop } = start(look);
    await expect.poll(printed).toContain("Waiting");
    expect(hasPicture(printed())).toBe(isDrawn);
    expect(raw().includes("\u001B[30;107m")).toBe(isDrawn);
    stop.abort();
    expect(await result).toBe(EXIT.ended);
  });

  it("has its three corners, and light around it", () => {
    const lines = drawQrCode(PENDING.url);
    const [width] = lines.map((line) => line.length);
    expect(lines.every((line) => line.length === width)).toBe(true);
    expect(lines.length).toBe(Math.ceil((width ?? 0) / 2));
    const [first = "", second = ""] = lines;
    expect(first.trim()).toBe("");
    expect(second).toMatch(/^ {2}█▀{5}█ .* █▀{5}█ {2}$/);
    expect(lines.slice(-4).filter((line) => line.startsWith("  █ ███ █ "))).toHaveLength(1);
  });
});

it("offers a new code where nobody came, and asks for one when Enter is pressed", async () => {
  const { result, printed, input, stop } = start({ columns: 20 });
  await hub.heard("pending_register");
  hub.send({ type: "authorization_timeout", message: "Nobody came." });
  await expect.poll(printed).toContain("Nobody came.\nPress Enter for a new code; Ctrl-C ends it.\n");
  input.write("\n");
  await hub.heard("pending_register", 2);
  expect(new Set(hub.secrets).size).toBe(2);
  hub.send({ type: "authorization_timeout", message: "Nobody came." });
  await expect.poll(() => printed().split("Press Enter").length).toBe(3);
  stop.abort();
  expect(await result).toBe(EXIT.ended);
});

it.each([
  [
    "authorization_timeout",
    { message: "Nobody came." },
    "Nobody came.\nFor a new code run the same again.\n",
  ],
  ["authorization_denied", { reason: "It was denied at the hub." }, "It was denied at the hub.\n"],
] as const)("ends where there is nobody to ask: %s", async (type, fields, words) => {
  const { result, printed } = start();
  await hub.heard("pending_register");
  hub.send({ type, ...fields } as never);
  expect(await result).toBe(EXIT.refused);
  expect(printed()).toContain(words);
});

it("ends where what answers gives no code, and asks for the address", async () => {
  hub.refusal = { status: 404, code: "not_found", message: "There is nothing here." };
  const { result, printed } = start();
  expect(await result).toBe(EXIT.refused);
  expect(printed()).toBe(
    `Asking ${hub.url} for a token\nNo code from ${hub.url}: There is nothing here.\nIs that the address of your hub, as a browser opens it?\n`,
  );
});

it("says once what keeps it from the hub", async () => {
  hub.refusal = { status: 503, code: "internal_error", message: "starting" };
  const { printed, stop, result } = start();
  await expect.poll(() => hub.secrets.length, { timeout: 5_000 }).toBeGreaterThan(1);
  expect(printed().split("Not connected to").length).toBe(2);
  stop.abort();
  await result;
});
