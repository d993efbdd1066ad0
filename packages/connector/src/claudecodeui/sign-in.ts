/**
 * Holds the one token this connector uses at its claudecodeui. Ways in, best first: register where nobody has yet, sign in
 * with what was kept from that, renew a token a person's own sign-in left, sign one with the key in claudecodeui's database.
 * Whatever way, a token counts only once claudecodeui has accepted it.
 */
import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { callApi } from "./api.ts";
import type { CredentialStore } from "./credentials.ts";
import { type Installation, readSigningKey } from "./database.ts";
import { isTokenShaped, readTokenTimes, signToken } from "./jwt.ts";

/** Between two attempts, whatever became of the first. */
const PAUSE_MS = 2_000;
/** A token this near its end is as good as ended. */
const EXPIRY_MARGIN_MS = 60_000;

const StatusSchema = v.object({ needsSetup: v.boolean() });
const IssuedSchema = v.object({ token: v.custom<string>(isTokenShaped) });

export interface SignInOptions {
  /** An origin on this machine. */
  target: string;
  /** The name to register under where nobody has. */
  username: string;
  store: CredentialStore;
  installation: () => Promise<Installation>;
  /** Told what a person should know: that a sign-in was made, or why there is none. */
  notice: (message: string) => void;
  now?: () => number;
}

export class SignIn {
  readonly #options: SignInOptions;
  readonly #now: () => number;
  #token: string | undefined;
  #renewing: Promise<string | undefined> | undefined;
  /** No attempt before, and no rejection believed before: milliseconds since the epoch. */
  #notBefore = 0;
  /** True when the token comes from a person's own sign-in, so that it must be kept to outlive this process. */
  #adopted = false;
  #said = "";

  constructor(options: SignInOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** The token to use now, without waiting: undefined when there is none or it has ended. Past half its life it is renewed meanwhile. */
  current(): string | undefined {
    if (this.#token === undefined) return undefined;
    const { issuedAt, expiresAt } = readTokenTimes(this.#token);
    if (expiresAt === undefined) return this.#token;
    if (this.#now() > expiresAt - EXPIRY_MARGIN_MS) return undefined;
    if (issuedAt !== undefined && this.#now() > (issuedAt + expiresAt) / 2) this.#renewInBackground();
    return this.#token;
  }

  /** The token, signing in first if need be. Callers at the same time share one attempt. Undefined when there is no way in now. */
  token(): Promise<string | undefined> {
    const current = this.current();
    return current === undefined ? this.#renew() : Promise.resolve(current);
  }

  /** claudecodeui answered 401 to this token: it is dropped and another fetched meanwhile, unless it is brand new. */
  rejected(token: string | undefined): void {
    if (token === undefined || token !== this.#token || this.#now() < this.#notBefore) return;
    this.#token = undefined;
    this.#renewInBackground();
  }

  /** A token claudecodeui issued in an answer to the browser, a person's own sign-in among them. */
  adopt(token: string): void {
    this.#adopted ||= this.#token === undefined;
    this.#token = token;
    if (this.#adopted)
      this.#keep(token).catch((error: unknown) => this.#say(`cannot keep the sign-in: ${messageOf(error)}`));
  }

  #renewInBackground(): void {
    this.#renew().catch((error: unknown) => this.#say(messageOf(error)));
  }

  #renew(): Promise<string | undefined> {
    if (this.#renewing) return this.#renewing;
    if (this.#now() < this.#notBefore) return Promise.resolve(undefined);
    this.#renewing = this.#attempt().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #attempt(): Promise<string | undefined> {
    try {
      this.#token = await this.#findToken();
      this.#said = "";
    } catch (error) {
      this.#say(`cannot sign in to claudecodeui, so its own sign-in page shows: ${messageOf(error)}`);
    }
    this.#notBefore = this.#now() + PAUSE_MS;
    return this.current();
  }

  async #findToken(): Promise<string> {
    const renewed = this.#token === undefined ? undefined : await this.#refresh(this.#token);
    if (renewed !== undefined) return renewed;
    const status = v.safeParse(StatusSchema, (await this.#call("/api/auth/status")).body);
    if (!status.success) throw new Error("it does not say whether it has a user");
    if (status.output.needsSetup) return this.#register();
    return (await this.#fromKept()) ?? this.#fromDatabase();
  }

  async #register(): Promise<string> {
    const { username, store } = this.#options;
    const password = randomBytes(24).toString("base64url");
    // Kept first: a user nobody has the password of would lock its owner out.
    await store.write({ username, password });
    const token = issued(await this.#call("/api/auth/register", { json: { username, password } }));
    if (token === undefined) throw new Error("it has no user and refused to register one");
    await this.#call("/api/user/complete-onboarding", { json: {}, token });
    this.#options.notice(
      `claudecodeui had no user: registered "${username}", its password is kept in ${store.path}`,
    );
    return token;
  }

  async #fromKept(): Promise<string | undefined> {
    const kept = await this.#options.store.read();
    if (kept?.username !== undefined && kept.password !== undefined) {
      const json = { username: kept.username, password: kept.password };
      const token = issued(await this.#call("/api/auth/login", { json }));
      if (token !== undefined) return token;
    }
    if (kept?.token === undefined) return undefined;
    this.#adopted = true;
    return this.#refresh(kept.token);
  }

  async #fromDatabase(): Promise<string> {
    const { user, secret } = await readSigningKey(await this.#options.installation());
    const token = signToken(user, secret, this.#now());
    if ((await this.#call("/api/auth/user", { token })).status === 200) return token;
    throw new Error("its database on this machine belongs to another claudecodeui");
  }

  async #refresh(token: string): Promise<string | undefined> {
    const renewed = issued(await this.#call("/api/auth/refresh", { json: {}, token }));
    if (renewed !== undefined && this.#adopted) await this.#keep(renewed);
    return renewed;
  }

  async #keep(token: string): Promise<void> {
    const { store } = this.#options;
    await store.write({ ...(await store.read()), token });
  }

  #call(path: string, options: { json?: unknown; token?: string } = {}) {
    return callApi(this.#options.target, path, options);
  }

  /** The same trouble is said once, not at every request. */
  #say(message: string): void {
    if (message === this.#said) return;
    this.#said = message;
    this.#options.notice(message);
  }
}

function issued(answer: { status: number; body: unknown }): string | undefined {
  const parsed = answer.status === 200 ? v.safeParse(IssuedSchema, answer.body) : undefined;
  return parsed?.success ? parsed.output.token : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
