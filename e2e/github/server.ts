/** The fake GitHub at a port of this machine, for a real browser and a real hub. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { FakeGitHub } from "../../packages/hub/test/fake-github.ts";
import type { HubSettings } from "../../packages/hub/local/settings.ts";
import { freePort } from "../port.ts";

export interface GitHubServer {
  github: FakeGitHub;
  /** What tells a hub to sign in there, with the App that is there from the start. */
  settings: HubSettings;
  stop(): Promise<void>;
}

/** Starts one whose App calls this hub back. */
export async function startGitHub(hubOrigin: string): Promise<GitHubServer> {
  const port = await freePort();
  // Another site than the hub's `*.localhost`, as GitHub is.
  const origin = `http://127.0.0.1:${port}`;
  const github = new FakeGitHub({ origin, hub: hubOrigin, slowMs: 20_000 });
  const server = createServer((request, response) => {
    answer(github, origin, request, response).catch(() => {
      // As a network that is gone: no answer, not even a bad one.
      response.destroy();
    });
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    github,
    settings: github.settings,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function answer(
  github: FakeGitHub,
  origin: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => {
    gone.abort();
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Uint8Array);
  const { method = "GET", url = "/", rawHeaders } = incoming;
  const headers = new Headers();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  const body = chunks.length === 0 ? null : Buffer.concat(chunks);
  const request = new Request(`${origin}${url}`, { method, headers, body, signal: gone.signal });
  const response = await github.fetch(request);
  for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
  outgoing.writeHead(response.status).end(Buffer.from(await response.arrayBuffer()));
}
