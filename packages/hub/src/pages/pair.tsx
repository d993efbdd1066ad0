import { parsePairingCode } from "@ai-orchestrator/protocol";
import { Hono, type Context } from "hono";
import { countExact, countExactOf, requireAllowed } from "../auth/rate-limits.ts";
import { placeKey, placeOf } from "../auth/request-place.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import type { PairingDecision, PairingLook, PairingRequest } from "../pairing/contract.ts";
import { mayApprove } from "../pairing/names.ts";
import { routes } from "../routes.ts";
import { PairDecided, PairForm, PairQuestion, type CodeProblem } from "../ui/pair.tsx";
import { pairPath } from "../ui/pair-notices.tsx";
import { readForm } from "./form.ts";
import { requireRoomForToken } from "./token-actions.ts";

/** Where a person says the code that an instance without a token shows, sees what asks, and approves it or not. */
export const pairPages = new Hono<HubContext>();

/** More than any code, however it is written. */
const MAX_TYPED_LENGTH = 40;

pairPages.get(routes.pair, async (c) => {
  const typed = (c.req.query("code") ?? "").slice(0, MAX_TYPED_LENGTH);
  if (typed.trim() === "") return showForm(c, "");
  const code = parsePairingCode(typed);
  if (code === undefined) return showForm(c, typed, "malformed");
  const look = await (isLedHere(c.req.raw) ? lookByLink(c, code) : lookAt(c, code));
  if (look === undefined) return showForm(c, typed);
  switch (look.state) {
    case "none":
      return showForm(c, typed, "unknown");
    case "asks":
      return showQuestion(c, look.request);
    case "approved":
    case "denied":
      return c.html(<PairDecided session={c.get("session")} now={Date.now()} decided={look} />);
  }
});

pairPages.post(routes.approvePairing, (c) => {
  return decide(c, async (code) => {
    const { env, session } = { env: c.env, session: c.get("session") };
    await requireRoomForToken({ env, session });
    return env.PAIRING.getByName(code).approve(personOf(c));
  });
});

pairPages.post(routes.denyPairing, (c) => {
  return decide(c, (code) => c.env.PAIRING.getByName(code).deny(personOf(c)));
});

async function decide(c: Context<HubContext>, act: (code: string) => Promise<PairingDecision>) {
  const { code: given } = await readForm(c);
  const typed = typeof given === "string" ? given.slice(0, MAX_TYPED_LENGTH) : "";
  const code = parsePairingCode(typed);
  if (code === undefined) return showForm(c, typed, "malformed");
  const look = await lookAt(c, code);
  if (look.state === "none") return showForm(c, typed, "unknown");
  if (look.state === "asks") {
    await requireNamed(c, look.request);
    const decision = await act(code);
    if (decision === "none") return showForm(c, typed, "unknown");
    if (decision === "delivered") return c.redirect(routes.dashboard, 303);
  }
  return c.redirect(pairPath(code), 303);
}

/**
 * The same for who was led here by a link: pages elsewhere can do that again and again, and must not use up the attempts of who
 * types a code. Undefined where it was too often.
 */
async function lookByLink(c: Context<HubContext>, code: string): Promise<PairingLook | undefined> {
  const { userId } = c.get("session");
  const counted = await countExactOf(c.env, "linked-code", userId);
  return counted.allowed ? c.env.PAIRING.getByName(code).look(userId) : undefined;
}

function isLedHere({ headers }: Request): boolean {
  return !["same-origin", "none"].includes(headers.get("sec-fetch-site") ?? "none");
}

/**
 * What waits under a code. Counted before it is looked at and given back where something does, so that nobody guesses, not
 * with many requests at once either. Throws `too_many_requests`.
 */
async function lookAt(c: Context<HubContext>, code: string): Promise<PairingLook> {
  const { userId } = c.get("session");
  requireAllowed(await countExactOf(c.env, "wrong-code-of", userId));
  requireAllowed(await countExact(c.env, "wrong-code", c.req.raw));
  const look = await c.env.PAIRING.getByName(code).look(userId);
  if (look.state !== "none")
    await Promise.all([
      c.env.RATE_LIMITER.getByName(`wrong-code-of:${userId}`).giveBack(),
      c.env.RATE_LIMITER.getByName(`wrong-code:${placeKey(c.req.raw)}`).giveBack(),
    ]);
  return look;
}

async function showForm(c: Context<HubContext>, typed: string, problem?: CodeProblem) {
  const session = c.get("session");
  const notices = await c.env.USER_HUB.getByName(session.userId).pairings(session.id);
  if (notices === "signed_out") throw new HubError("sign_in_required");
  const props = { session, now: Date.now(), env: c.env, typed, problem, notices };
  return c.html(<PairForm {...props} />, STATUSES[problem ?? "none"]);
}

const STATUSES = { none: 200, malformed: 400, unknown: 404 } as const;

async function showQuestion(c: Context<HubContext>, request: PairingRequest) {
  await requireNamed(c, request);
  const session = c.get("session");
  const known = await c.env.USER_HUB.getByName(session.userId).find(session.id, request.clientId);
  if (known === "signed_out") throw new HubError("sign_in_required");
  const knownAs = known === null ? undefined : known.name || known.hostname || known.clientId;
  return c.html(<PairQuestion session={session} now={Date.now()} request={request} knownAs={knownAs} />);
}

async function requireNamed(c: Context<HubContext>, { names }: PairingRequest): Promise<void> {
  if (await mayApprove(c.env, c.get("session"), names)) return;
  throw new HubError("not_named", { link: { href: routes.dashboard, text: "Dashboard" } });
}

function personOf(c: Context<HubContext>) {
  const { userId, login } = c.get("session");
  return { userId, login, from: placeOf(c.req.raw) };
}
