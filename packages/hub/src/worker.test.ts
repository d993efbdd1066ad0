import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { HUB, signedIn } from "../test/hub.ts";
import { routes } from "./routes.ts";
import worker from "./worker.ts";

test("what a browser began is finished, though it does not wait for the answer", async () => {
  const person = await signedIn("hasty");
  const id = /-session=([^.]+)\./.exec(person.cookie)?.[1] ?? "";
  const headers = { host: new URL(HUB).host, origin: HUB, cookie: person.cookie };
  const context = createExecutionContext();
  const request = new Request<unknown, IncomingRequestCfProperties>(HUB + routes.signOut, {
    method: "POST",
    headers,
    redirect: "manual",
  });
  // The platform drops a request whose client has left, but for what it was told to wait for.
  const answer = worker.fetch(request, env, context);
  await waitOnExecutionContext(context);
  expect(await env.USER_HUB.getByName("hasty").list(id)).toBe("signed_out");
  expect((await answer).status).toBe(303);
});
