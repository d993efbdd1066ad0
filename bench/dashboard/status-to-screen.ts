/**
 * From a status leaving the connector to the changed card on screen. It begins when the connector has written its frame and
 * ends in the page: the first message event after the animation frame that follows the change of the card, which is when
 * Chromium has handed that frame over to be shown. A change that a newer one of the same card overtakes counts until the newer one is there.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { SessionState } from "@ai-orchestrator/protocol";
import type { Page } from "playwright-core";
import { session, startStage, type Puppet, type Stage } from "../../e2e/pages/stage.ts";
import { printTable, spread, type Row } from "../report.ts";
import { watchCards, type Seen } from "./watch-cards.ts";

const CHANGES = 500;
const SHOWN = [1, 40];
/** Milliseconds between two changes: any in here. */
const APART_MS = [30, 150] as const;
const STATES: SessionState[] = ["working", "needs_permission", "needs_answer", "done", "failed", "idle"];
const TARGET_P99_MS = 50;

/** One change: which instance, its number, and when its frame had been written, milliseconds of this process's clock. */
interface Change {
  label: string;
  number: number;
  writtenAt: number;
}

export async function benchStatusToScreen(): Promise<void> {
  const stage = await startStage();
  try {
    const rows: Row[] = [["ms", "median", "p90", "p99", "max"]];
    const notes = [`Target: p99 to the screen below ${TARGET_P99_MS} ms.`];
    for (const count of SHOWN) {
      const { toMessage, toCard, toScreen, overtaken, clockErrorMs } = await measure(stage, count);
      const name = `${count} shown,`;
      rows.push([`${name} to the page's socket`, ...spread(toMessage)]);
      rows.push([`${name} to the changed card`, ...spread(toCard)]);
      rows.push([`${name} to the screen`, ...spread(toScreen)]);
      notes.push(
        `${count} shown: ${toScreen.length} changes, ${overtaken} overtaken; clocks compared to ±${clockErrorMs.toFixed(1)} ms.`,
      );
    }
    printTable(`Status to screen (${CHANGES} changes, ${APART_MS.join(" to ")} ms apart)`, rows, ...notes);
  } finally {
    await stage.stop();
  }
}

interface Measured {
  toMessage: number[];
  toCard: number[];
  toScreen: number[];
  overtaken: number;
  clockErrorMs: number;
}

async function measure(stage: Stage, count: number): Promise<Measured> {
  const puppets = await connect(stage, count);
  const { page } = await stage.dashboard({ viewport: { width: 1440, height: 900 } });
  await page.evaluate(watchCards);
  const before = await compareClocks(page);
  const changes = await change(puppets);
  await pause(1000);
  const after = await compareClocks(page);
  const seen = await page.evaluate(() => (window as unknown as { seen: Seen[] }).seen);
  await stage.clear();
  const aheadMs = (before.aheadMs + after.aheadMs) / 2;
  const drift = Math.abs(before.aheadMs - after.aheadMs) / 2;
  const clockErrorMs = Math.max(before.errorMs, after.errorMs) + drift;
  return { ...compare(changes, seen, aheadMs), clockErrorMs };
}

async function connect(stage: Stage, count: number): Promise<Puppet[]> {
  const token = await stage.hub.createToken("bench");
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      stage.instance({ token, hostname: `machine-${index % 5}`, project: `/home/dev/project-${index}` }),
    ),
  );
}

/** Makes the changes, each of an instance taken at random, and notes when each was written. */
async function change(puppets: readonly Puppet[]): Promise<Change[]> {
  const changes: Change[] = [];
  const last = new Map<Puppet, number>();
  for (const puppet of puppets) {
    puppet.client.on("status", () => {
      const writtenAt = performance.timeOrigin + performance.now();
      changes.push({ label: puppet.label, number: last.get(puppet) ?? 0, writtenAt });
    });
  }
  const [least, most] = APART_MS;
  for (let number = 1; number <= CHANGES; number++) {
    const puppet = puppets[Math.floor(Math.random() * puppets.length)];
    const state = STATES[Math.floor(Math.random() * STATES.length)];
    if (puppet === undefined || state === undefined) continue;
    last.set(puppet, number);
    puppet.set(session(state, `change-${number};`));
    await pause(least + Math.random() * (most - least));
  }
  return changes;
}

/** How far the page's clock is ahead of this process's, from the quickest of many questions, and by how much that may be wrong. */
async function compareClocks(page: Page): Promise<{ aheadMs: number; errorMs: number }> {
  let best = { aheadMs: 0, errorMs: Number.POSITIVE_INFINITY };
  for (let question = 0; question < 100; question++) {
    const asked = performance.timeOrigin + performance.now();
    const there = await page.evaluate(() => performance.timeOrigin + performance.now());
    const answered = performance.timeOrigin + performance.now();
    const errorMs = (answered - asked) / 2;
    if (errorMs < best.errorMs) best = { aheadMs: there - (asked + answered) / 2, errorMs };
  }
  return best;
}

function compare(
  changes: readonly Change[],
  seen: readonly Seen[],
  aheadMs: number,
): Omit<Measured, "clockErrorMs"> {
  const measured: Omit<Measured, "clockErrorMs"> = { toMessage: [], toCard: [], toScreen: [], overtaken: 0 };
  for (const { label, number, writtenAt } of changes) {
    const first = seen.find((one) => one.label === label && one.number >= number);
    if (first === undefined) throw new Error(`Change ${number} of ${label} never came to the page.`);
    if (first.number > number) measured.overtaken++;
    const since = (at: number) => at - aheadMs - writtenAt;
    measured.toMessage.push(since(first.messageAt));
    measured.toCard.push(since(first.changedAt));
    measured.toScreen.push(since(first.shownAt));
  }
  return measured;
}
