/**
 * Whether its owner lets an instance be looked at in path mode: kept by its Tunnel, read once in the object's life. It holds for the
 * token that the instance connects with: whoever has another of its owner's could take its place, and is not what was trusted.
 */

const KEY = "pathTrusted";
const TOKEN = "tokenId";
/** In a Tunnel's answer; an instance's answer cannot have it. */
const NOT_TRUSTED = "x-orchestrator-path-not-trusted";

export class PathTrust {
  readonly #kv: SyncKvStorage;
  #isGiven: boolean | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#kv = storage.kv;
  }

  get isGiven(): boolean {
    this.#isGiven ??= this.#kv.get(KEY) === true;
    return this.#isGiven;
  }

  set(isGiven: boolean): void {
    this.#isGiven = isGiven;
    if (isGiven) this.#kv.put(KEY, true);
    else this.#kv.delete(KEY);
  }

  /** A connector speaks for the instance from now on. Written only where its token is another. */
  connectedWith(tokenId: string): void {
    if (this.#kv.get(TOKEN) === tokenId) return;
    if (this.isGiven) this.set(false);
    this.#kv.put(TOKEN, tokenId);
  }
}

/** A Tunnel's answer to who may look, but not in path mode; the ingress makes it one for browsers. */
export function notTrustedAnswer(): Response {
  return new Response(null, { status: 403, headers: { [NOT_TRUSTED]: "1" } });
}

export function isNotTrustedAnswer(response: Response): boolean {
  return response.headers.has(NOT_TRUSTED);
}
