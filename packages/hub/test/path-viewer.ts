/** A browser that looks at an instance in path mode, on the hub's own host. */
import { env, exports } from "cloudflare:workers";
import { instanceLabel } from "../src/origins.ts";
import { routes } from "../src/routes.ts";
import { connectFake, type FakeApplication, type FakeConnector } from "./fake-connector.ts";
import { HUB, ownerWithToken, signedIn, type Person } from "./hub.ts";

export interface PathInstance {
  person: Person;
  connector: FakeConnector;
  label: string;
  /** `/clients/<label>/proxy`. */
  prefix: string;
  /** Asks as a page of the instance would; a path that begins with a slash stands below the prefix. */
  look: (path: string, init?: RequestInit) => Promise<Response>;
}

/** A person's connected instance, which they allow in path mode. */
export async function pathInstance(
  userId: string,
  clientId: string,
  application: FakeApplication = {},
): Promise<PathInstance> {
  const token = await ownerWithToken(userId);
  const connector = await connectFake(token, clientId, application);
  const person = await signedIn(userId);
  const label = await instanceLabel(userId, clientId);
  await trustPath(userId, label, true);
  const prefix = routes.clientProxy(label);
  const look = (path: string, init: RequestInit = {}) => askPath(prefix + path, { person, ...init });
  return { person, connector, label, prefix, look };
}

/** Its owner allows path mode for an instance, or takes that back. */
export async function trustPath(userId: string, label: string, isTrusted: boolean): Promise<void> {
  const action = isTrusted ? "trust_path" : "distrust_path";
  const result = await env.USER_HUB.getByName(userId).act(label, { action }, userId);
  if ("refused" in result) throw new Error(result.refused);
}

/** Asks the hub's own host, as one of its pages would. */
export function askPath(path: string, init: RequestInit & { person?: Person } = {}): Promise<Response> {
  const headers = new Headers({ host: new URL(HUB).host, accept: "*/*" });
  if (init.person !== undefined) headers.set("cookie", init.person.cookie);
  if (![undefined, "GET", "HEAD"].includes(init.method)) headers.set("origin", HUB);
  for (const [name, value] of new Headers(init.headers)) {
    if (name === "cookie" && headers.has("cookie")) headers.set(name, `${headers.get("cookie")}; ${value}`);
    else if (value === "") headers.delete(name);
    else headers.set(name, value);
  }
  return exports.default.fetch(HUB + path, { ...init, headers, redirect: "manual" });
}

/** What a browser sends when somebody opens a page. */
export const OPENED = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
