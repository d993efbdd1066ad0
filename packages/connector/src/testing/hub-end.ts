/** A hub's end of the protocol joined to the forwarding code, without sockets between. For tests. */
import { Agent } from "node:http";
import {
  Connection,
  DEFAULT_PEER_LIMITS,
  type RequestHead,
  type Stream,
  type StreamErrorCode,
} from "@ai-orchestrator/protocol";
import { type Adapter, createPlainAdapter } from "../adapter.ts";
import { CompressedCopies } from "../compressed-copies.ts";
import { Deadlines } from "../deadlines.ts";
import { forwardHttp } from "../forward-http.ts";

/** What became of a request: a status, or the reset's code. */
export type Outcome = number | StreamErrorCode;

export interface HubEnd {
  /** Sends a request with these pieces as its body; without any, it has none. */
  ask(head: Partial<RequestHead>, ...body: (string | Promise<string>)[]): Promise<Outcome>;
  stop(): void;
}

/** Forwards to `target`, an origin. */
export function joinHub(target: string, adapter: Adapter = createPlainAdapter(), timeoutMs = 5_000): HubEnd {
  const agent = new Agent({ keepAlive: true });
  const upstream = {
    target: new URL(target),
    adapter,
    agent,
    ownPortOnly: false,
    copies: new CompressedCopies(),
    timeoutMs,
    deadlines: new Deadlines(timeoutMs),
  };
  const limits = { local: DEFAULT_PEER_LIMITS, remote: DEFAULT_PEER_LIMITS };
  const hub: Connection = new Connection({
    role: "hub",
    text: "latin1",
    ...limits,
    send: (message) => connector.receive(message),
  });
  const connector: Connection = new Connection({
    role: "connector",
    text: "latin1",
    ...limits,
    send: (message) => hub.receive(message),
    request: (stream, head, ended) => {
      stream.handler = forwardHttp(stream, head, ended, upstream);
    },
  });
  const ask = (head: Partial<RequestHead>, ...body: (string | Promise<string>)[]) =>
    new Promise<Outcome>((resolve) => {
      let status = 0;
      const stream = hub.open(
        { kind: "http", method: "GET", target: "/", headers: [], ...head },
        {
          response: (answer) => (status = answer.status),
          data: (payload) => stream.consume(payload.byteLength),
          end: () => resolve(status),
          reset: (error) => resolve(error.code),
          writable: () => undefined,
        },
        body.length === 0,
      );
      sendBody(stream, body).catch(() => resolve("internal_error"));
    });
  return { ask, stop: () => agent.destroy() };
}

/** At once as far as it is there. */
async function sendBody(stream: Stream, body: (string | Promise<string>)[]): Promise<void> {
  for (const piece of body)
    stream.write(new TextEncoder().encode(typeof piece === "string" ? piece : await piece));
  if (body.length > 0) stream.end();
}
