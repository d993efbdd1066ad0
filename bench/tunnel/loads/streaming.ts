/** Answers that come in pieces: when the first byte is there, and how late each server-sent event is. */
import { once } from "node:events";
import { median, percentile } from "../../report.ts";
import { answerOf, begin, drain } from "../http.ts";
import type { RunningPath } from "../paths/path.ts";
import type { Load } from "./load.ts";

const ANSWERS = 20;
const EVENTS = 200;
const EVERY_MS = 5;

export const streamingLoads: Load[] = [
  {
    group: "streaming",
    upstream: "streams",
    measures: [
      {
        id: "first-byte",
        title: "First byte of an answer whose last comes after 50 ms",
        unit: "ms",
        better: "less",
        digits: 2,
      },
    ],
    run: async (path) => {
      const times: number[] = [];
      for (let count = 0; count < ANSWERS; count++) times.push(await firstByte(path));
      return { "first-byte": median(times) };
    },
  },
  {
    group: "streaming",
    upstream: "streams",
    measures: [
      {
        id: "events-p50",
        title: "Delay of a server-sent event, median",
        unit: "ms",
        better: "less",
        digits: 2,
      },
      { id: "events-p99", title: "Delay of a server-sent event, p99", unit: "ms", better: "less", digits: 2 },
    ],
    run: async (path) => {
      const delays = await eventDelays(path);
      return { "events-p50": percentile(delays, 0.5), "events-p99": percentile(delays, 0.99) };
    },
  },
];

async function firstByte(path: RunningPath): Promise<number> {
  const begun = performance.now();
  const request = begin(path, "/slow");
  request.end();
  const answer = await answerOf(path, request);
  const ended = drain(answer);
  await once(answer, "data");
  const time = performance.now() - begun;
  await ended;
  return time;
}

/** Milliseconds between the moment that stands in each event and the one at which it is here. */
async function eventDelays(path: RunningPath): Promise<number[]> {
  const request = begin(path, `/events?count=${EVENTS}&every=${EVERY_MS}`, {
    headers: { accept: "text/event-stream" },
  });
  request.end();
  const answer = await answerOf(path, request);
  const delays: number[] = [];
  let text = "";
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const now = process.hrtime.bigint();
    const lines = (text + chunk.toString()).split("\n\n");
    text = lines.pop() ?? "";
    for (const line of lines) delays.push(Number(now - BigInt(line.replace("data: ", ""))) / 1e6);
  }
  if (delays.length !== EVENTS) throw new Error(`${path.origin} sent ${delays.length} events of ${EVENTS}`);
  return delays;
}
