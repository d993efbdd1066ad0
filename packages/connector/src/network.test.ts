import os from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { NetworkWatch } from "./network.ts";

afterEach(() => void vi.restoreAllMocks());

test("another network is said once; that there is none is not, and that it is back is", () => {
  let now = "eth0 192.0.2.1/24";
  const network = new NetworkWatch(() => now);
  const look = (addresses: string) => {
    now = addresses;
    return network.changed();
  };
  expect(look(now)).toBe(false);
  expect(look("wlan0 192.0.2.1/24")).toBe(true);
  expect(look("wlan0 192.0.2.1/24")).toBe(false);
  expect(look("")).toBe(false);
  expect(look("")).toBe(false);
  expect(look("wlan0 192.0.2.1/24")).toBe(true);
});

test("what leads to no hub elsewhere does not count: loopback, link-local addresses, their order", () => {
  const read = (...addresses: [name: string, address: string, internal?: boolean][]) => {
    const found: NodeJS.Dict<os.NetworkInterfaceInfo[]> = {};
    for (const [name, address, internal = false] of addresses)
      (found[name] ??= []).push({ address, cidr: null, internal } as os.NetworkInterfaceInfo);
    return found;
  };
  const spy = vi
    .spyOn(os, "networkInterfaces")
    .mockReturnValue(read(["eth0", "192.0.2.1"], ["eth0", "2001:db8::1"]));
  const network = new NetworkWatch();
  spy.mockReturnValue(
    read(
      ["lo", "127.0.0.1", true],
      ["eth0", "2001:db8::1"],
      ["eth0", "fe80::1"],
      ["veth1", "FE80::2"],
      ["usb0", "169.254.3.4"],
      ["eth0", "192.0.2.1"],
    ),
  );
  expect(network.changed()).toBe(false);
  spy.mockReturnValue(read(["eth0", "192.0.2.2"], ["eth0", "2001:db8::1"]));
  expect(network.changed()).toBe(true);
  spy.mockImplementation(() => {
    throw new Error("EPERM");
  });
  expect(network.changed()).toBe(false);
});

test("a look costs so little that four a second are nothing", () => {
  const network = new NetworkWatch();
  const from = performance.now();
  for (let count = 0; count < 1_000; count++) expect(network.changed()).toBe(false);
  console.log(`a look at the network: ${Math.round(performance.now() - from)} µs`);
});
