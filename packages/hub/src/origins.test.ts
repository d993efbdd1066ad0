import { describe, expect, it } from "vitest";
import { foreignHosts } from "../test/corpora/hosts.ts";
import { hostOwner, instanceLabel, instanceOrigin, isLabel } from "./origins.ts";

const local = { HUB_ORIGIN: "http://hub.localhost:8787", INSTANCE_HOST: "{label}.hub.localhost:8787" };
const flat = { HUB_ORIGIN: "https://hub.example.com", INSTANCE_HOST: "{label}-hub.example.com" };

describe("whose a host is", () => {
  it.each([
    [local, "hub.localhost:8787", { kind: "hub" }],
    [local, "laptop-abc.hub.localhost:8787", { kind: "instance", label: "laptop-abc" }],
    [flat, "hub.example.com", { kind: "hub" }],
    [flat, "laptop-abc-hub.example.com", { kind: "instance", label: "laptop-abc" }],
  ])("%# knows its own", (settings, host, owner) => {
    expect(hostOwner(host, settings)).toEqual(owner);
  });

  it.each(foreignHosts("hub.localhost:8787"))("%j is nobody's", (host) => {
    expect(hostOwner(host, local)).toEqual({ kind: "unknown" });
  });

  it.each([
    "-hub.example.com",
    "hub.example.com:443",
    "hub.example.com.",
    "xhub.example.com",
    "a-hub.example.com:8443",
  ])("%j is nobody's on a real domain", (host) => {
    expect(hostOwner(host, flat)).toEqual({ kind: "unknown" });
  });
});

describe("labels", () => {
  it("are DNS labels whatever the client_id, and lead back to themselves", async () => {
    for (const clientId of [
      "laptop-x7f3",
      "UPPER.case_id",
      "---",
      "xn--bcher-kva",
      "@".repeat(128),
      "a".repeat(128),
    ]) {
      const label = await instanceLabel("github:1", clientId);
      expect(isLabel(label)).toBe(true);
      expect(label.startsWith("xn--")).toBe(false);
      for (const settings of [local, flat]) {
        const { host } = new URL(instanceOrigin(label, settings));
        expect(host.split(".")[0]?.length).toBeLessThanOrEqual(63);
        expect(hostOwner(host, settings)).toEqual({ kind: "instance", label });
      }
    }
  });

  it("differ by owner and by client_id, and nothing can be moved between the two", async () => {
    const labels = await Promise.all([
      instanceLabel("a", "b"),
      instanceLabel("b", "a"),
      instanceLabel("ab", ""),
      instanceLabel("a", "b2"),
      instanceLabel('a","b', "c"),
      instanceLabel("a", 'b","c'),
    ]);
    expect(new Set(labels).size).toBe(labels.length);
    expect(await instanceLabel("a", "b")).toBe(labels[0]);
  });
});
