import { once } from "node:events";
import { expect, it } from "vitest";
import { HostEmitter } from "./host-emitter.ts";

class Example extends HostEmitter<{ log: [string]; error: [Error] }> {}

it("tells every listener, whatever another one throws, and warns", async () => {
  const emitter = new Example();
  const heard: string[] = [];
  emitter.on("log", () => {
    throw new Error("a host's mistake");
  });
  emitter.on("log", (text) => heard.push(text));
  const warned = once(process, "warning") as Promise<[Error]>;
  expect(emitter.emit("log", "hello")).toBe(true);
  expect(heard).toEqual(["hello"]);
  const [warning] = await warned;
  expect(warning).toMatchObject({ name: "OrchestratorWarning", code: "ORCHESTRATOR_LISTENER" });
  expect(warning.message).toContain("a host's mistake");
});

it("takes care of a listener that rejects", async () => {
  const emitter = new Example();
  // oxlint-disable-next-line typescript/no-misused-promises -- a listener that waits is what is tested
  emitter.on("log", () => Promise.reject(new Error("later")));
  const warned = once(process, "warning") as Promise<[Error]>;
  emitter.emit("log", "hello");
  expect((await warned)[0].message).toContain("later");
});

it("throws nothing for an error nobody listens for", () => {
  expect(new Example().emit("error", new Error("nobody's"))).toBe(false);
});

it("calls who listens once, once", () => {
  const emitter = new Example();
  const heard: string[] = [];
  emitter.once("log", (text) => heard.push(text));
  emitter.emit("log", "one");
  emitter.emit("log", "two");
  expect(heard).toEqual(["one"]);
});
