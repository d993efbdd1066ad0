/** Activity of days that are over, on the built hub: it moves to the archive on disk, and is read from there after a restart. */
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { startHub, type TestHub } from "./hub.ts";
import { connect } from "./tunnel/setup.ts";
import { Viewer } from "./tunnel/viewer.ts";

const DAY_MS = 24 * 60 * 60_000;
const DAYS = 6;
const PER_DAY = 30;

let folder: string;
let hub: TestHub;
let viewer: Viewer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "hub-activity-"));
  hub = await startHub({ stateFolder: folder });
});
afterAll(async () => {
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

/** An instance comes and goes, which is worth an entry. */
async function visit(clientId: string): Promise<void> {
  const { client } = await connect(hub, { target: "http://127.0.0.1:9", clientId });
  await client.stop();
}

/** The database of the person's object, as it is on disk. */
function withRows<T>(read: (rows: DatabaseSync) => T): T {
  const files = readdirSync(path.join(folder, "v3"), { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => name.endsWith(".sqlite"))) {
    const database = new DatabaseSync(path.join(folder, "v3", file));
    try {
      const [table] = database
        .prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'activity'")
        .all();
      if (table?.["n"] === 1) return read(database);
    } finally {
      database.close();
    }
  }
  throw new Error("no object with activity");
}

const countBefore = (at: number): number =>
  withRows((rows) =>
    Number(rows.prepare("SELECT count(*) AS n FROM activity WHERE id < ?").get(at * 1000)?.["n"]),
  );

/** The names on every page of the activity, the newest first. */
async function namesOnPages(query: string): Promise<string[]> {
  const names: string[] = [];
  let next: string | undefined = `/activity?${query}`;
  for (let pages = 0; next !== undefined && pages < 50; pages++) {
    const { status, body } = await viewer.fetch(hub.origin + next);
    expect(status).toBe(200);
    const html = body.toString();
    names.push(...[...html.matchAll(/<bdi>(old-\d+-\d+)<\/bdi>/g)].map(([, name = ""]) => name));
    next = /href="(\/activity\?[^"]*before=\d+[^"]*)"/.exec(html)?.[1]?.replaceAll("&amp;", "&");
  }
  return names;
}

it("moves to files and is read from them", { timeout: 120_000 }, async () => {
  await visit("first");
  await hub.kill();
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const expected: string[] = [];
  withRows((rows) => {
    const insert = rows.prepare("INSERT INTO activity (id, entry) VALUES (?, ?)");
    for (let day = 0; day < DAYS; day++) {
      for (let index = 0; index < PER_DAY; index++) {
        const at = today - (DAYS + 2 - day) * DAY_MS + index * 1000;
        const title = `old-${day}-${index}`;
        const entry = { id: at * 1000, at, label: "old-abcdefghij", title, kind: "connected", isNew: false };
        insert.run(at * 1000, JSON.stringify(entry));
        expected.unshift(title);
      }
    }
  });
  expect(countBefore(today - DAY_MS)).toBe(DAYS * PER_DAY);

  await hub.restart();
  viewer = new Viewer();
  await viewer.navigate(await hub.signInLink());
  await visit("second");
  await vi.waitFor(() => expect(countBefore(today - DAY_MS)).toBe(0), { timeout: 20_000, interval: 200 });
  expect(await namesOnPages("q=old-")).toEqual(expected);

  await hub.kill();
  await hub.restart();
  expect(await namesOnPages("q=old-")).toEqual(expected);
  expect(await namesOnPages("q=OLD-3-")).toEqual(expected.filter((name) => name.startsWith("old-3-")));
  expect(hub.logs().filter(({ message }) => message.includes("archive"))).toEqual([]);
});
