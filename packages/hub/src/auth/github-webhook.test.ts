import { describe, expect, it } from "vitest";
import { isSignedWith, parseWebhook } from "./github-webhook.ts";

const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text));

describe("the signature", () => {
  // From GitHub's documentation of webhooks.
  const secret = "It's a Secret to Everybody";
  const body = bytes("Hello, World!");
  const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

  it("is GitHub's", async () => {
    expect(await isSignedWith(secret, signature, body)).toBe(true);
  });

  it.each([
    ["", secret, body],
    ["sha256=", secret, body],
    [signature.slice("sha256=".length), secret, body],
    [signature.replace("sha256", "sha1"), secret, body],
    [signature.toUpperCase(), secret, body],
    [`${signature}00`, secret, body],
    [signature.slice(0, -2), secret, body],
    [signature.replace("757107", "757108"), secret, body],
    [signature, "It's a secret to everybody", body],
    [signature, secret, bytes("Hello, World! ")],
    [signature, secret, bytes("")],
    [signature, "", body],
  ])("is not %j", async (wrong, key, text) => {
    expect(await isSignedWith(key, wrong, text)).toBe(false);
  });
});

describe("what is read of a payload", () => {
  const organization = { login: "acme", id: 9919, url: "https://api.github.com/orgs/acme" };
  const user = { login: "ann", id: 7, type: "User" };
  const sender = { login: "owner", id: 8, type: "User" };
  const team = { name: "Core", id: 4567, slug: "core" };

  it.each([
    [
      "organization",
      {
        action: "member_removed",
        membership: { state: "inactive", role: "unaffiliated", user },
        organization,
        sender,
      },
      { news: "lost", userId: "github:7", loss: { lost: "organization", id: 9919, login: "acme" } },
    ],
    [
      "organization",
      { action: "deleted", organization, sender },
      { news: "gone", loss: { lost: "organization", id: 9919, login: "acme" } },
    ],
    [
      "organization",
      { action: "renamed", changes: { login: { from: "acme-old" } }, organization, sender },
      { news: "organization_renamed", id: 9919, login: "acme", former: "acme-old" },
    ],
    [
      "organization",
      { action: "renamed", organization, sender },
      { news: "organization_renamed", id: 9919, login: "acme", former: undefined },
    ],
    [
      "membership",
      { action: "removed", scope: "team", member: user, team, organization, sender },
      { news: "lost", userId: "github:7", loss: { lost: "team", id: 4567 } },
    ],
    [
      "membership",
      {
        action: "removed",
        scope: "team",
        member: user,
        team: { id: 4567, name: "Core", deleted: true },
        organization,
      },
      { news: "lost", userId: "github:7", loss: { lost: "team", id: 4567 } },
    ],
    [
      "team",
      { action: "deleted", team, organization, sender },
      { news: "gone", loss: { lost: "team", id: 4567 } },
    ],
    [
      "team",
      { action: "edited", changes: {}, team, organization, sender },
      { news: "team_renamed", id: 4567, name: "acme/core" },
    ],
    [
      "installation",
      { action: "deleted", installation: { id: 1, account: organization }, sender },
      { news: "uninstalled", organization: { id: 9919, login: "acme" } },
    ],
    [
      "installation",
      { action: "suspend", installation: { id: 1, account: organization }, sender },
      { news: "uninstalled", organization: { id: 9919, login: "acme" } },
    ],
    [
      "github_app_authorization",
      { action: "revoked", sender: user },
      { news: "revoked", userId: "github:7" },
    ],
  ])("%s %j", (event, payload, news) => {
    expect(parseWebhook(event, payload)).toEqual(news);
  });

  it.each([
    ["ping", { zen: "Keep it logically awesome." }],
    ["push", { ref: "refs/heads/main" }],
    ["organization", { action: "member_added", organization }],
    ["organization", { action: "member_invited", organization }],
    ["membership", { action: "added", member: user, team }],
    ["team", { action: "removed_from_repository", team }],
    ["installation", { action: "created", installation: { account: organization } }],
    ["toString", { action: "x" }],
    ["organization", { action: ["deleted"] }],
    ["organization", null],
    ["organization", "deleted"],
    ["__proto__", { action: "toString" }],
  ])("nothing of %s %j", (event, payload) => {
    expect(parseWebhook(event, payload)).toBeNull();
  });

  it.each([
    ["organization", { action: "deleted" }],
    ["organization", { action: "deleted", organization: { id: "9919", login: "acme" } }],
    ["organization", { action: "deleted", organization: { id: -1, login: "acme" } }],
    ["organization", { action: "deleted", organization: { id: 2 ** 60, login: "acme" } }],
    ["organization", { action: "deleted", organization: { id: 1, login: "x".repeat(301) } }],
    ["organization", { action: "member_removed", organization }],
    ["membership", { action: "removed", member: null, team }],
  ])("and %s %j is an error", (event, payload) => {
    expect(() => parseWebhook(event, payload)).toThrow();
  });
});
