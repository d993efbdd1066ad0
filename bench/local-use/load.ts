/** Requests as fast as they are answered, a few at a time. */
import * as http from "node:http";

export interface Load {
  perSecond: number;
  /** Milliseconds of each request, until its body has been read. */
  latencies: number[];
}

const AT_A_TIME = 8;

export async function loadFor(port: number, durationMs: number): Promise<Load> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_A_TIME });
  const latencies: number[] = [];
  const began = performance.now();
  const run = async () => {
    while (performance.now() - began < durationMs) {
      const at = performance.now();
      await ask(port, agent);
      latencies.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, run));
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  return { perSecond: latencies.length / seconds, latencies };
}

function ask(port: number, agent: http.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, agent }, (answer) => {
      answer.resume();
      answer.on("end", resolve);
    });
    request.on("error", reject);
  });
}
