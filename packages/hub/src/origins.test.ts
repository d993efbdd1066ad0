import { describe, expect, it, test } from "vitest";
import { foreignHosts } from "../test/corpora/hosts.ts";
import { hostOwner, instanceLabel, instanceOrigin, instanceUrl, isLabel } from "./origins.ts";

const local = { HUB_ORIGIN: "http://hub.localhost:8787", INSTANCE_HOST: "{label}.hub.localhost:8787" };
const flat = { HUB_ORIGIN: "https://hub.example.com", INSTANCE_HOST: "{label}-hub.example.com" };

describe("a hub with one host name", () => {
  test.each([undefined, "", "none"])(
    "knows no other host, its instances open below it: %j",
    (INSTANCE_HOST) => {
      const one = {
        HUB_ORIGIN: "https://hub.example.com",
        ...(INSTANCE_HOST === undefined ? {} : { INSTANCE_HOST }),
      };
      expect(hostOwner("hub.example.com", one)).toEqual({ kind: "hub" });
      for (const host of ["", "none", "a", "a-hub.example.com", "a.hub.example.com", "undefined"])
        expect([host, hostOwner(host, one)]).toEqual([host, { kind: "unknown" }]);
      expect(instanceOrigin("a-bcdefghijk", one)).toBeUndefined();
      expect(instanceUrl({ label: "a-bcdefghijk", protocol: 2 }, one)).toBe(
        "https://hub.example.com/clients/a-bcdefghijk/proxy",
      );
    },
  );
});

test("people open an instance on its own host, but one of version 1 below the hub's", () => {
  expect(instanceUrl({ label: "a", protocol: 2 }, flat)).toBe("https://a-hub.example.com");
  expect(instanceUrl({ label: "a", protocol: 1 }, flat)).toBe("https://hub.example.com/clients/a/proxy");
});

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
        const { host } = new URL(instanceOrigin(label, settings) ?? "");
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
