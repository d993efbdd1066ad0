import type { Instance } from "../src/instance.ts";

/** A connected and idle instance as the registry remembers it, but for `more`. */
export function exampleInstance(clientId: string, more: Partial<Instance> = {}): Instance {
  return {
    clientId,
    label: `${clientId}-abcdefghij`,
    tokenId: "t",
    software: { name: "connector", version: "1" },
    hostname: "laptop",
    project: `/home/ann/src/${clientId}`,
    platform: "linux",
    upstream: null,
    status: "idle",
    statusSince: 10,
    sessions: [],
    connected: true,
    connectedAt: 5,
    heardAt: 10,
    goneAt: null,
    goneReason: null,
    firstSeenAt: 1,
    name: "",
    keptAway: false,
    seenUntil: 0,
    absence: null,
    protocol: 2,
    pathTrusted: false,
    access: null,
    ...more,
  };
}
