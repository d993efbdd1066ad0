/** What a test and the hub's own process (`hub-process.ts`) say to each other. */

/** What the parent may ask; `argument` is the token's name for `createToken`. */
export interface HubRequest {
  id: number;
  ask: "signInLink" | "setupLink" | "createToken" | "stop";
  argument?: string;
}

export type HubAnswer =
  | { ready: { origin: string; workerdPids: number[] } }
  | { log: { level: string; message: string } }
  | { id: number; value: string }
  | { id: number; error: string };
