/**
 * Everything the hub signs or encrypts, with keys derived from `HUB_SECRET`: one for each purpose, so that what was made for
 * one is worth nothing for another. A copy of the database does not contain the secret.
 */
import type { Env } from "../env.ts";
import { fromBase64Url, toBase64Url } from "../secrets.ts";

type Secret = Pick<Env, "HUB_SECRET">;

/** What may be signed: cookies that are read without a database, and what only this hub can say again. */
export type SigningPurpose =
  | "access-cookie"
  | "viewer-cookie"
  | "setup-cookie"
  | "refusal-cookie"
  | "pkce-verifier"
  | "pairing-code";
/** What may be encrypted. */
export type SealingPurpose = "github-token" | "github-app";

const MIN_SECRET_LENGTH = 43;
const IV_BYTES = 12;

/** HMAC-SHA-256 of a text, in base64url. */
export async function sign(env: Secret, purpose: SigningPurpose, text: string): Promise<string> {
  return toBase64Url(await signBytes(env, purpose, text));
}

/** The same as its 32 bytes. */
export async function signBytes(env: Secret, purpose: SigningPurpose, text: string): Promise<Uint8Array> {
  const key = await signingKey(env, purpose);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(text)));
}

/** `<payload>.<signature>`: any JSON value as a text that only this hub can have made. */
export async function signValue(env: Secret, purpose: SigningPurpose, value: unknown): Promise<string> {
  const payload = toBase64Url(utf8(JSON.stringify(value)));
  return `${payload}.${await sign(env, purpose, payload)}`;
}

/** The value behind such a text; undefined where it is forged or was made for another purpose. */
export async function readSignedValue(env: Secret, purpose: SigningPurpose, text: string): Promise<unknown> {
  const [payload = "", signature = "", ...rest] = text.split(".");
  const [bytes, json] = [fromBase64Url(signature), fromBase64Url(payload)];
  if (bytes === undefined || json === undefined || rest.length > 0) return undefined;
  const key = await signingKey(env, purpose);
  if (!(await crypto.subtle.verify("HMAC", key, bytes, utf8(payload)))) return undefined;
  return JSON.parse(new TextDecoder().decode(json));
}

/** Encrypts a text (AES-256-GCM, random nonce). `owner` says whose it is; only with the same `owner` can it be opened. */
export async function seal(
  env: Secret,
  purpose: SealingPurpose,
  owner: string,
  text: string,
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const algorithm = { name: "AES-GCM", iv, additionalData: utf8(owner) };
  const sealed = await crypto.subtle.encrypt(algorithm, await sealingKey(env, purpose), utf8(text));
  return `${toBase64Url(iv)}.${toBase64Url(new Uint8Array(sealed))}`;
}

/** The text in a sealed one; undefined where it was changed, belongs to somebody else or to another secret. */
export async function unseal(
  env: Secret,
  purpose: SealingPurpose,
  owner: string,
  sealed: string,
): Promise<string | undefined> {
  const [iv, bytes] = sealed.split(".").map(fromBase64Url);
  if (iv === undefined || bytes === undefined) return undefined;
  const algorithm = { name: "AES-GCM", iv, additionalData: utf8(owner) };
  try {
    const key = await sealingKey(env, purpose);
    return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, bytes));
  } catch {
    // WebCrypto tells no more than that it could not be opened.
    return undefined;
  }
}

function signingKey(env: Secret, purpose: SigningPurpose): Promise<CryptoKey> {
  return derived(env, `sign:${purpose}`, { name: "HMAC", hash: "SHA-256", length: 256 }, ["sign", "verify"]);
}

function sealingKey(env: Secret, purpose: SealingPurpose): Promise<CryptoKey> {
  return derived(env, `seal:${purpose}`, { name: "AES-GCM", length: 256 }, ["encrypt", "decrypt"]);
}

/** Deriving a key once saves most of the time of a check; keys follow from the secret alone. */
const cache: { secret: string; keys: Map<string, Promise<CryptoKey>> } = { secret: "", keys: new Map() };

function derived(
  { HUB_SECRET }: Secret,
  info: string,
  algorithm: KeyAlgorithmTarget,
  uses: string[],
): Promise<CryptoKey> {
  if (HUB_SECRET.length < MIN_SECRET_LENGTH)
    throw new Error("HUB_SECRET needs at least 32 random bytes in base64url.");
  if (cache.secret !== HUB_SECRET) Object.assign(cache, { secret: HUB_SECRET, keys: new Map() });
  const known = cache.keys.get(info);
  if (known !== undefined) return known;
  const key = deriveKey(HUB_SECRET, info, algorithm, uses);
  cache.keys.set(info, key);
  return key;
}

interface KeyAlgorithmTarget {
  name: string;
  length: number;
  hash?: string;
}

async function deriveKey(
  secret: string,
  info: string,
  algorithm: KeyAlgorithmTarget,
  uses: string[],
): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", utf8(secret), "HKDF", false, ["deriveKey"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8(`orchestrator:${info}`) };
  return crypto.subtle.deriveKey(hkdf, material, algorithm, false, uses);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
