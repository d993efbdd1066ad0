/** A thousand people with an instance each, and the open dashboards of some of them. */
import { setTimeout as pause } from "node:timers/promises";
import { once } from "node:events";
import type { WebSocket } from "ws";
import { startHub, type TestHub } from "../../e2e/hub.ts";
import { Viewer } from "../../e2e/tunnel/viewer.ts";
import { routes } from "../../packages/hub/src/routes.ts";
import { kilobytes, median, percentile, printTable } from "../report.ts";
import { allRegistered, startFleet, stopFleet, storm, type Fleet } from "./fleet.ts";
import { benchRestart } from "./one-person.ts";

/** GitHub is asked nothing: what it said of these people is new. */
const ADMITS_THEM = { GITHUB_SIGN_IN: "enabled", ALLOWED_ORGS: "test:1" };
const DASHBOARDS = 50;
const HIBERNATED_MS = 14_000;
const TITLE = "storm 1";

export async function benchManyPeople(count: number): Promise<void> {
  const hub = await startHub({ settings: ADMITS_THEM });
  let fleet: Fleet | undefined;
  try {
    const emptyBytes = hub.memory();
    const people = await hub.createPeople(count);
    const begun = performance.now();
    fleet = startFleet(
      hub,
      people.map(({ token }) => token),
    );
    await allRegistered(fleet);
    const ms = performance.now() - begun;
    const awake = hub.memory() - emptyBytes;
    await pause(HIBERNATED_MS);
    printTable(`${count} people with an instance each connect`, [
      ["all registered after", `${(ms / 1000).toFixed(1)} s`],
      ["instances a second", (count / (ms / 1000)).toFixed(0)],
      ["workerd for each, awake", kilobytes(awake / count)],
      ["for each, hibernated", kilobytes((hub.memory() - emptyBytes) / count)],
    ]);
    await benchDashboards(
      hub,
      fleet,
      people.slice(0, DASHBOARDS).map(({ cookie }) => cookie),
    );
    await benchRestart(hub, fleet);
  } finally {
    if (fleet !== undefined) await stopFleet(fleet);
    await hub.stop();
  }
}

interface OpenDashboard {
  socket: WebSocket;
  frames: number;
  bytes: number;
  /** When it was told of the storm, milliseconds since the epoch. */
  toldAt: number;
}

async function benchDashboards(hub: TestHub, fleet: Fleet, cookies: readonly string[]): Promise<void> {
  const begun = performance.now();
  const dashboards = await Promise.all(cookies.map((cookie) => openDashboard(hub, cookie)));
  const openMs = performance.now() - begun;
  for (const dashboard of dashboards) Object.assign(dashboard, { frames: 0, bytes: 0 });
  const cpu = hub.cpuMs();
  const lastAt = await storm(fleet, TITLE);
  while (dashboards.some(({ toldAt }) => toldAt === 0)) await pause(5);
  await pause(500);
  const late = dashboards.map(({ toldAt }) => toldAt - lastAt);
  printTable(
    `All ${fleet.puppets.length} change within a second, before ${dashboards.length} open dashboards`,
    [
      ["the dashboards were open after", `${openMs.toFixed(0)} ms`],
      ["last one told, after the last change", `${Math.max(...late).toFixed(0)} ms`],
      ["pushes to each, median", median(dashboards.map(({ frames }) => frames))],
      [
        "bytes to each, median and 90th percentile",
        kilobytes(median(dashboards.map(({ bytes }) => bytes))),
        kilobytes(
          percentile(
            dashboards.map(({ bytes }) => bytes),
            0.9,
          ),
        ),
      ],
      ["workerd CPU for each change", `${((hub.cpuMs() - cpu) / fleet.puppets.length).toFixed(2)} ms`],
    ],
  );
  for (const { socket } of dashboards) socket.close();
}

/** Resolves with the first word of the hub. */
async function openDashboard(hub: TestHub, cookie: string): Promise<OpenDashboard> {
  const socket = new Viewer().webSocket(hub.origin + routes.dashboardSocket, [], { headers: { cookie } });
  const dashboard: OpenDashboard = { socket, frames: 0, bytes: 0, toldAt: 0 };
  socket.on("message", (data: Buffer) => {
    dashboard.frames++;
    dashboard.bytes += data.byteLength;
    if (data.includes(TITLE)) dashboard.toldAt = performance.timeOrigin + performance.now();
  });
  await once(socket, "message");
  return dashboard;
}
