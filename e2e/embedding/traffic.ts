/** Requests that go on until they are told to stop, and what became of them. */
import * as http from "node:http";

export interface Traffic {
  answered: number;
  failures: string[];
  /** Ends it; resolves when nothing of it is on its way. */
  stop(): Promise<void>;
}

/** Asks again and again, `pauseMs` after each answer. */
export function keepAsking(ask: () => Promise<unknown>, pauseMs: number): Traffic {
  let isOver = false;
  const traffic: Traffic = { answered: 0, failures: [], stop: () => Promise.resolve() };
  const run = async () => {
    while (!isOver) {
      try {
        await ask();
        traffic.answered++;
      } catch (error) {
        traffic.failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const running = run();
  traffic.stop = () => {
    isOver = true;
    return running;
  };
  return traffic;
}

/** One request of this machine, on a connection of its own; fails unless it is answered with 200 within two seconds. */
export function askLocally(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, timeout: 2_000 }, (answer) => {
      answer.resume();
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`answered ${answer.statusCode}`)),
      );
      answer.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("no answer within 2 s")));
    request.on("error", reject);
  });
}
