/** A person's UserHub with open dashboards, and Tunnels that say what a test wants. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";
import type { ActivityEntry } from "../src/activity.ts";
import type { ActivityQuery, Presence, TunnelRpc } from "../src/contracts.ts";
import { routes } from "../src/routes.ts";
import type { UserHub } from "../src/user-hub/user-hub.ts";
import { ask, HUB, signedIn, type Person } from "./hub.ts";

export type Hub = DurableObjectStub<UserHub>;

/** Lets a UserHub meet Tunnels that say what the test wants; returns the calls they got. */
export async function withTunnels(
  hub: Hub,
  presence: (label: string) => Presence,
  more: (label: string) => Partial<TunnelRpc> = () => ({}),
): Promise<string[]> {
  const calls: string[] = [];
  const tunnel = (label: string): Partial<TunnelRpc> => ({
    presence: () => Promise.resolve(presence(label)),
    refreshStatus: () => {
      calls.push(`refresh ${label}`);
      return Promise.resolve("done");
    },
    disconnect: (_owner, reason) => Promise.resolve(void calls.push(`${reason} ${label}`)),
    disconnectToken: (owner, tokenId) =>
      Promise.resolve(void calls.push(`disconnect ${label} ${owner} ${tokenId}`)),
    keepAway: () => Promise.resolve(void calls.push(`keep away ${label}`)),
    letBack: () => Promise.resolve(void calls.push(`let back ${label}`)),
    trustPath: (_owner, isTrusted) =>
      Promise.resolve(void calls.push(`${isTrusted ? "trust" : "distrust"} ${label}`)),
    inspect: () => Promise.resolve(null),
    endSessions: (owner, ids) => Promise.resolve(void calls.push(`end ${label} ${owner} ${ids.join(" ")}`)),
    ...more(label),
  });
  await runInDurableObject(hub, (object) => {
    Object.defineProperty(object, "env", { value: { ...env, TUNNEL: { getByName: tunnel } } });
  });
  return calls;
}

export const here = (): Presence => ({ connected: true, provenAt: Date.now() });
export const away = (): Presence => ({ connected: false, provenAt: null });

export interface Page {
  messages: string[];
  closeCode: () => number | undefined;
  send: (text: string) => void;
  /** As a browser that leaves. */
  close: () => void;
}

export async function openPage(person: Person, query = ""): Promise<Page> {
  const response = await ask(routes.dashboardSocket + query, {
    person,
    headers: { upgrade: "websocket", origin: HUB },
  });
  const socket = response.webSocket;
  if (socket === null) throw new Error(`No socket: ${response.status}`);
  const messages: string[] = [];
  let closeCode: number | undefined;
  socket.addEventListener("message", (event) => {
    messages.push(String(event.data));
  });
  socket.addEventListener("close", (event) => {
    closeCode = event.code;
  });
  socket.accept();
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0));
  return {
    messages,
    closeCode: () => closeCode,
    send: (text) => socket.send(text),
    close: () => socket.close(1000, ""),
  };
}

/** A person with a hub of their own whose Tunnels are all here. */
export async function newPerson(name: string): Promise<{ person: Person; hub: Hub }> {
  const person = await signedIn(name);
  const hub = env.USER_HUB.getByName(name);
  await withTunnels(hub, here);
  return { person, hub };
}

/** The newest page of what happened to a person's instances. */
export async function activityOf(hub: Hub, query: Partial<ActivityQuery> = {}): Promise<ActivityEntry[]> {
  const page = await hub.activity("any-session", { filter: "all", ...query });
  if (page === "signed_out") throw new Error("signed out");
  return page.entries;
}
