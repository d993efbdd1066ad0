/** Apps made from a manifest, judged as strictly as GitHub does, or more so. */
import {
  array,
  boolean,
  check,
  maxLength,
  minLength,
  nonEmpty,
  object,
  optional,
  picklist,
  pipe,
} from "valibot";
import { record, safeParse, strictObject, string, url, type InferOutput } from "valibot";
import { randomSecret } from "../../src/secrets.ts";
import { json, notFound } from "./rest.ts";
import type { App, World } from "./world.ts";

const CODE_MS = 60 * 60_000;

const address = pipe(string(), url());
const publicAddress = pipe(
  address,
  check((text) => !isLoopback(new URL(text).hostname), "isn't reachable over the public Internet"),
);

const Manifest = strictObject({
  name: pipe(string(), nonEmpty(), maxLength(34)),
  url: address,
  description: optional(string()),
  hook_attributes: optional(strictObject({ url: publicAddress, active: optional(boolean()) })),
  redirect_url: address,
  callback_urls: pipe(array(address), minLength(1), maxLength(10)),
  setup_url: optional(address),
  public: boolean(),
  request_oauth_on_install: optional(boolean()),
  setup_on_update: optional(boolean()),
  // What members:read lets an App listen to. An App hears of its own installation without asking.
  default_events: optional(array(picklist(["organization", "team", "membership"]))),
  default_permissions: record(string(), picklist(["read", "write"])),
});

export type Manifest = InferOutput<typeof Manifest>;

const Answer = object({ manifest: string() });

interface Pending {
  manifest: Manifest;
  owner: string;
  expiresAt: number;
}

export class Manifests {
  readonly #world: World;
  readonly #origin: string;
  readonly #now: () => number;
  readonly #pending = new Map<string, Pending>();

  constructor(world: World, origin: string, now: () => number) {
    this.#world = world;
    this.#origin = origin;
    this.#now = now;
  }

  /** The manifest in a posted form, or what GitHub says is wrong with it. */
  parse(form: URLSearchParams): Manifest | string {
    const answer = safeParse(Answer, Object.fromEntries(form));
    if (!answer.success) return "No manifest.";
    let value: unknown;
    try {
      value = JSON.parse(answer.output.manifest);
    } catch {
      return "The manifest is no JSON.";
    }
    const manifest = safeParse(Manifest, value);
    if (!manifest.success) {
      return manifest.issues
        .map((issue) => `${issue.path?.map(({ key }) => String(key)).join(".")}: ${issue.message}`)
        .join("; ");
    }
    const { name, hook_attributes: hook, default_events: events = [] } = manifest.output;
    if (this.#world.apps.some((app) => app.name === name)) return "name: is already taken";
    if (hook === undefined && events.length > 0) return "default_events: need a webhook";
    return manifest.output;
  }

  /** After "Create": the redirect with a code for the App. */
  create(manifest: Manifest, owner: string, state: string | null): URL {
    const code = randomSecret(20);
    this.#pending.set(code, { manifest, owner, expiresAt: this.#now() + CODE_MS });
    const target = new URL(manifest.redirect_url);
    target.searchParams.set("code", code);
    if (state !== null) target.searchParams.set("state", state);
    return target;
  }

  /** Answers `POST /app-manifests/{code}/conversions`. */
  convert(code: string): Response {
    const pending = this.#pending.get(code);
    this.#pending.delete(code);
    if (pending === undefined || pending.expiresAt <= this.#now()) return notFound();
    const { manifest, owner } = pending;
    const app = this.#makeApp(manifest, owner);
    this.#world.apps.push(app);
    const answer = {
      id: app.id,
      slug: app.slug,
      node_id: `A_${app.id}`,
      owner: { login: owner },
      name: app.name,
      description: manifest.description ?? null,
      external_url: manifest.url,
      html_url: app.htmlUrl,
      created_at: new Date(this.#now()).toISOString(),
      updated_at: new Date(this.#now()).toISOString(),
      permissions: { ...manifest.default_permissions, metadata: "read" },
      events: manifest.default_events ?? [],
      client_id: app.clientId,
      client_secret: app.clientSecret,
      webhook_secret: app.webhookSecret === "" ? null : app.webhookSecret,
      pem: "-----BEGIN RSA PRIVATE KEY-----\nnot a key\n-----END RSA PRIVATE KEY-----\n",
    };
    return json(answer, 201);
  }

  #makeApp(manifest: Manifest, owner: string): App {
    const slug = manifest.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    return {
      id: this.#world.nextId(),
      slug,
      name: manifest.name,
      htmlUrl: `${this.#origin}/github-apps/${slug}`,
      clientId: `Iv23${randomSecret(12)}`,
      clientSecret: randomSecret(30),
      webhookSecret: manifest.hook_attributes === undefined ? "" : randomSecret(30),
      callbackUrls: manifest.callback_urls,
      webhookUrl: manifest.hook_attributes?.url ?? "",
      owner,
      public: manifest.public,
      installedOn: new Set(),
      manifest,
    };
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || /^(?:127\.|\[::1\])/.test(hostname);
}
