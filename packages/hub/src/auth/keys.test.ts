import { expect, it } from "vitest";
import { readSignedValue, seal, sign, signValue, unseal } from "./keys.ts";

const env = { HUB_SECRET: "a-secret-for-tests-with-more-than-43-characters" };
const other = { HUB_SECRET: "another-secret-of-another-hub-with-43-characters" };

it("reads what it signed, for the same purpose and with the same secret only", async () => {
  const text = await signValue(env, "access-cookie", ["github:1", 5]);
  expect(await readSignedValue(env, "access-cookie", text)).toEqual(["github:1", 5]);
  expect(await readSignedValue(env, "viewer-cookie", text)).toBeUndefined();
  expect(await readSignedValue(other, "access-cookie", text)).toBeUndefined();
});

it("reads nothing that was changed or is not its own", async () => {
  const [payload = "", signature = ""] = (await signValue(env, "access-cookie", "ann")).split(".");
  const [bob = ""] = (await signValue(other, "access-cookie", "bob")).split(".");
  const forged = [`${bob}.${signature}`, payload, `${payload}.`, `${payload}.${signature}.`, ".", "", "ä.ö"];
  for (const text of forged) expect(await readSignedValue(env, "access-cookie", text)).toBeUndefined();
});

it("opens what it sealed, for the same purpose, owner and secret only", async () => {
  const sealed = await seal(env, "github-token", "github:1", "ghu_secret");
  expect(sealed).not.toContain("ghu_secret");
  expect(await unseal(env, "github-token", "github:1", sealed)).toBe("ghu_secret");
  expect(await unseal(env, "github-token", "github:2", sealed)).toBeUndefined();
  expect(await unseal(env, "github-app", "github:1", sealed)).toBeUndefined();
  expect(await unseal(other, "github-token", "github:1", sealed)).toBeUndefined();
});

it("seals the same text differently each time, and opens nothing that was changed", async () => {
  const sealed = await seal(env, "github-token", "github:1", "ghu_secret");
  expect(await seal(env, "github-token", "github:1", "ghu_secret")).not.toBe(sealed);
  const broken = [`${sealed.slice(0, -2)}AA`, sealed.slice(1), sealed.split(".")[0] ?? "", "", "."];
  for (const text of broken) expect(await unseal(env, "github-token", "github:1", text)).toBeUndefined();
});

it("works with no secret that could be guessed", async () => {
  await expect(sign({ HUB_SECRET: "short" }, "access-cookie", "x")).rejects.toThrow("HUB_SECRET");
});
