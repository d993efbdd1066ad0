/**
 * The local hub in a process of its own, for tests that must kill it: told what to do, and answering, over Node's IPC.
 * Started by `e2e/hub.ts`.
 */
import {
  createLocalUser,
  createSetupLink,
  createSignInLink,
  createToken,
  keepAdminToken,
} from "./account.ts";
import { openHub, type Hub } from "./hub.ts";
import type { HubAnswer, HubRequest } from "./hub-messages.ts";
import { childProcesses } from "./processes.ts";
import { createPeople } from "./test-people.ts";
import { settingsFrom } from "./settings.ts";
import { hubSecret, prepareStateFolder } from "./state.ts";

const [port = "", folder = ""] = process.argv.slice(2);
prepareStateFolder(folder);
const hub = await openHub({
  port: Number(port),
  stateFolder: folder,
  hubSecret: hubSecret(folder),
  settings: settingsFrom(process.env),
  onLog: (level, message) => {
    send({ log: { level, message } });
  },
});
await createLocalUser(hub.db);
await keepAdminToken(hub.db, folder);
process.on("message", (request: HubRequest) => {
  answer(hub, request).then(
    (value) => {
      send({ id: request.id, value });
    },
    (error: unknown) => {
      send({ id: request.id, error: String(error) });
    },
  );
});
process.once("disconnect", end);
// Its parent may have ended while the hub was starting.
if (!process.connected) end();
send({ ready: { origin: hub.origin, workerdPids: childProcesses(process.pid).map((child) => child.pid) } });

function end(): void {
  hub.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
}

async function answer(opened: Hub, request: HubRequest): Promise<string> {
  switch (request.ask) {
    case "signInLink":
      return createSignInLink(opened);
    case "setupLink":
      return (await createSetupLink(opened)) ?? "";
    case "createToken":
      return createToken(opened.db, request.argument ?? "test");
    case "createPeople":
      return JSON.stringify(await createPeople(opened.db, Number(request.argument)));
    case "stop":
      await opened.close();
      return "stopped";
  }
}

function send(message: HubAnswer): void {
  if (process.connected) process.send?.(message);
}
