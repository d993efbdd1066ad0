/** What a test and the hub's own process (`hub-process.ts`) say to each other. */

/** What the parent may ask; `argument` is the token's name for `createToken`, and how many for `createPeople`. */
export interface HubRequest {
  id: number;
  ask: "signInLink" | "setupLink" | "createToken" | "createPeople" | "stop";
  argument?: string;
}

/** Somebody whom the hub lets in; the answer to `createPeople` is a list of them in JSON. */
export interface TestPerson {
  /** For their instances. */
  token: string;
  /** Of a browser that is signed in. */
  cookie: string;
}

export type HubAnswer =
  | { ready: { origin: string; workerdPids: number[] } }
  | { log: { level: string; message: string } }
  | { id: number; value: string }
  | { id: number; error: string };
