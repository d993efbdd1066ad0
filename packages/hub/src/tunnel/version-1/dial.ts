/**
 * A dial in version 1: token and client id in the URL, or neither, and then they come with `register`. Where they are in the URL and
 * good, the socket goes to its Tunnel at once. Otherwise it is held here, for seconds, until `register` has come.
 */
import { ClientIdSchema, type version1 } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import { countExact } from "../../auth/rate-limits.ts";
import type { TokenHolder } from "../../auth/token.ts";
import type { Env } from "../../env.ts";
import { refuseDial } from "../dial-refusal.ts";
import { checkDialToken, refused, tooManyFrom } from "../dial-token.ts";
import { WaitingDial, type Verdict } from "./waiting-dial.ts";

const NO_TOKEN = "register: a user_token and a client_id are needed, there or in the URL.";
const BAD_CLIENT_ID = "client_id: 1 to 128 printable ASCII characters without spaces are needed.";

type DialTunnel = (holder: TokenHolder, clientId: string, protocol: 1) => Promise<Response>;

/** Version 1 is what names no version, nor proves itself by a header. */
export function isVersionOne({ headers }: Request): boolean {
  return !headers.has("authorization") && !headers.has("sec-websocket-protocol");
}

/** Answers with 101, and with an error where the client shall try again; one that shall give up must be told over its socket. */
export async function connectVersionOne(request: Request, env: Env, dial: DialTunnel): Promise<Response> {
  // Any page that somebody has open could dial in their place and use up what their address may: clients are programs.
  if (request.headers.has("origin"))
    return refuseDial(403, "bad_request", "Instances connect here, not pages in a browser.");
  const { searchParams } = new URL(request.url);
  const [token, clientId] = [searchParams.get("token"), searchParams.get("client_id")];
  if (token !== null && clientId !== null) {
    const checked = await check(token, clientId);
    if ("holder" in checked) return dial(checked.holder, clientId, 1);
    const { code, message } = checked.refused;
    if (code !== "unauthorized") return refused(checked.refused);
    return hold(async () => ({ giveUp: message }));
  }
  return hold(judge);

  /** Whoever is not let in at once is held open, and so each of them is counted. */
  async function hold(decide: (register: version1.Register) => Promise<Verdict>): Promise<Response> {
    const counted = await countExact(env, "dial-without-token", request);
    if (!counted.allowed) return refused(tooManyFrom(counted.retryAfterSeconds));
    return new WaitingDial(decide).response;
  }

  function check(text: string, id: string): ReturnType<typeof checkDialToken> {
    if (v.is(ClientIdSchema, id)) return checkDialToken(request, env, text);
    return Promise.resolve({ refused: { status: 400, code: "unauthorized", message: BAD_CLIENT_ID } });
  }

  async function judge(register: version1.Register): Promise<Verdict> {
    const [text, id] = [token ?? register.user_token, clientId ?? register.client_id];
    if (text === undefined || text === null || id === undefined || id === null) return { giveUp: NO_TOKEN };
    const checked = await check(text, id);
    if ("refused" in checked) {
      const { code, message } = checked.refused;
      if (code === "unauthorized") return { giveUp: message };
      return { later: code === "rate_limited" ? code : "going_away", message };
    }
    const answer = await dial(checked.holder, id, 1);
    if (answer.webSocket) return { tunnel: answer.webSocket };
    return {
      later: answer.status === 429 ? "rate_limited" : "disconnected",
      message: await messageOf(answer),
    };
  }
}

const RefusalSchema = v.object({ error: v.object({ message: v.string() }) });

async function messageOf(answer: Response): Promise<string> {
  const parsed = v.safeParse(RefusalSchema, await answer.json().catch(() => null));
  return parsed.success ? parsed.output.error.message : "The hub does not let this instance in now.";
}
