/** What the hub's tests start from: people who are signed in, requests as a browser sends them, instances. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../src/app.ts";
import type { Role } from "../src/auth/policy.ts";
import { signIn } from "../src/auth/session.ts";
import { issueInstanceToken } from "../src/auth/token.ts";
import type { InstanceConnected, SignedOut } from "../src/contracts.ts";
import { upsertUser } from "../src/db/users.ts";
import type { Instance } from "../src/instance.ts";

export const HUB = env.HUB_ORIGIN;

export interface Person {
  userId: string;
  /** `Cookie` of this person's browser. */
  cookie: string;
}

/** Adds a person whom the policy lets in and signs their browser in. */
export async function signedIn(userId: string, role: Role = "member"): Promise<Person> {
  await upsertUser(env.DB, { id: userId, login: userId, name: userId });
  await admit(userId, role);
  const cookies = await signIn(new Request(HUB), env, userId);
  return { userId, cookie: cookies.map(cookiePair).join("; ") };
}

/** What D1 would hold had GitHub just said that the person belongs. */
export async function admit(userId: string, role: Role = "member", now: number = Date.now()): Promise<void> {
  await env.DB.prepare(
    `INSERT OR REPLACE INTO admissions (user_id, memberships, checked_at, tried_at, allowed, role, reason)
     VALUES (?1, ?2, ?3, ?3, 1, ?4, 'test')`,
  )
    .bind(userId, JSON.stringify({ userId: 0, login: userId, of: [], checkedAt: now }), now, role)
    .run();
}

/** Forgets everybody and everything that was decided, in D1. */
export async function forgetEverybody(): Promise<void> {
  const tables = [
    "users",
    "admissions",
    "allowed_entities",
    "audit_log",
    "sessions",
    "one_time_codes",
    "github_app",
  ];
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
}

/** `name=value` out of a `Set-Cookie`. */
export function cookiePair(setCookie: string): string {
  return setCookie.slice(0, setCookie.indexOf(";"));
}

export interface BrowserRequest {
  method?: string;
  person?: Person;
  headers?: Record<string, string>;
  body?: BodyInit;
}

/** Asks the hub as a browser on one of its own pages would; `headers` override what such a browser sends. */
export async function ask(path: string, request: BrowserRequest = {}): Promise<Response> {
  const { method = "GET", person, body } = request;
  const headers = new Headers({ accept: "text/html", host: new URL(HUB).host });
  if (person !== undefined) headers.set("cookie", person.cookie);
  if (method !== "GET") headers.set("origin", HUB);
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (value === "") headers.delete(name);
    else headers.set(name, value);
  }
  const init: RequestInit = { method, headers, redirect: "manual", ...(body === undefined ? {} : { body }) };
  return app.fetch(new Request(`${HUB}${path}`, init), env, createExecutionContext());
}

/** What a Tunnel tells of a new connection. */
export function connected(clientId: string, more: Partial<InstanceConnected> = {}): InstanceConnected {
  return {
    clientId,
    label: `${clientId}-abcdefghij`,
    tokenId: "token-1",
    software: { name: "connector", version: "0.1.0" },
    metadata: { hostname: "laptop", project: `/home/ann/src/${clientId}`, platform: "linux" },
    status: "idle",
    sessions: [],
    connectedAt: Date.now(),
    protocol: 2,
    ...more,
  };
}

/** Adds a person whom the policy lets in; returns a token for their instances. */
export async function ownerWithToken(id: string): Promise<string> {
  await upsertUser(env.DB, { id, login: "ann", name: "Ann" });
  await admit(id);
  return (await issueInstanceToken(env.DB, { userId: id, name: "test" })).text;
}

/** A sign-in that has not ended, as far as any object knows. */
const ANY_SESSION = "any-session";

/** A UserHub, or what calls it. */
interface Lists {
  list(sessionId: string): Instance[] | SignedOut | Promise<Instance[] | SignedOut>;
  find(
    sessionId: string,
    idOrLabel: string,
  ): Instance | null | SignedOut | Promise<Instance | null | SignedOut>;
}

/** What a person's UserHub lists. */
export async function instancesOf(hub: Lists): Promise<Instance[]> {
  const list = await hub.list(ANY_SESSION);
  if (list === "signed_out") throw new Error("signed out");
  return list;
}

/** One instance of a person, by its client id or label. */
export async function instanceOf(hub: Lists, idOrLabel: string): Promise<Instance | null> {
  const instance = await hub.find(ANY_SESSION, idOrLabel);
  if (instance === "signed_out") throw new Error("signed out");
  return instance;
}
