/** A viewer's request or WebSocket upgrade, through the tunnel. */
import {
  StreamError,
  type RequestHead,
  type StreamErrorCode,
  type StreamHandler,
} from "@ai-orchestrator/protocol";
import { type ErrorCode } from "../error-codes.ts";
import { errorResponse, HubError, type ErrorDetail } from "../errors.ts";
import { targetOf } from "../request-path.ts";
import { keepOf } from "./copy-rules.ts";
import { requestFields, responseHeaders, type VerifiedViewer } from "./headers.ts";
import { HttpExchange } from "./http-exchange.ts";
import type { ExchangeStream, InstanceConnection, ViewerHead } from "./instance-connection.ts";
import { VersionOneError } from "./version-1/version-one-error.ts";

/** The error a person sees for each way a stream can end before its answer began. */
const PAGE_OF: Record<StreamErrorCode, ErrorCode> = {
  cancelled: "upstream_failed",
  protocol_error: "upstream_failed",
  flow_control_error: "internal_error",
  refused_stream: "too_many_streams",
  upstream_unreachable: "instance_unreachable",
  upstream_timeout: "upstream_timeout",
  upstream_failed: "upstream_failed",
  too_large: "too_large",
  stalled: "upstream_timeout",
  denied: "not_on_list",
  connection_lost: "connection_lost",
  internal_error: "internal_error",
  overloaded: "too_many_streams",
};

export type Ways = Pick<ErrorDetail, "link" | "otherLink">;

/** Proxies one request; whatever fails before the answer's head is an error page with these ways on, never an exception. */
export async function proxy(
  active: InstanceConnection,
  request: Request,
  viewer: VerifiedViewer,
  waysOn: () => Ways,
): Promise<Response> {
  const isUpgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  try {
    return await (isUpgrade ? proxyWebSocket(active, request, viewer) : proxyHttp(active, request, viewer));
  } catch (error) {
    if (error instanceof HubError) return errorResponse(error.code, request, waysOn());
    if (error instanceof VersionOneError)
      return errorResponse(error.page, request, { ...waysOn(), message: error.message });
    if (error instanceof StreamError) return errorResponse(PAGE_OF[error.code], request, waysOn());
    throw error;
  }
}

function proxyHttp(active: InstanceConnection, request: Request, viewer: VerifiedViewer): Promise<Response> {
  let stream: ExchangeStream | undefined;
  const keep = keepOf(active.attachment, request, viewer);
  const exchange = new HttpExchange(() => opened(stream), request.method, keep);
  const opening = { head: headOf(request, "http", viewer), handler: exchange, end: request.body === null };
  stream = open(active, opening, exchange);
  active.exchanges.add(exchange, viewer);
  if (request.body) exchange.upload(request.body as ReadableStream<Uint8Array>, () => active.flush());
  return exchange.answer;
}

function proxyWebSocket(
  active: InstanceConnection,
  request: Request,
  viewer: VerifiedViewer,
): Promise<Response> {
  let stream: ExchangeStream | undefined;
  const refusal = new HttpExchange(() => opened(stream), "GET");
  const { promise, resolve } = Promise.withResolvers<Response>();
  const handshake: StreamHandler = {
    response(head) {
      if (head.status !== 101) {
        opened(stream).handler = refusal;
        return refusal.response(head);
      }
      refusal.retire();
      const webSocket = active.acceptViewer(opened(stream), viewer);
      resolve(new Response(null, { status: 101, webSocket, headers: responseHeaders(head.headers) }));
    },
    data: () => undefined,
    end: () => undefined,
    reset: (error) => refusal.reset(error),
    writable: () => undefined,
  };
  const opening = { head: headOf(request, "websocket", viewer), handler: handshake, end: false };
  stream = open(active, opening, refusal);
  active.exchanges.add(refusal, viewer);
  return Promise.race([promise, refusal.answer]);
}

interface Opening {
  head: ViewerHead;
  handler: StreamHandler;
  end: boolean;
}

/** Opens the stream of an exchange. What cannot be put into a REQUEST is the browser's mistake, not the application's. */
function open(
  active: InstanceConnection,
  { head, handler, end }: Opening,
  exchange: HttpExchange,
): ExchangeStream {
  try {
    return active.open(head, handler, end);
  } catch (error) {
    exchange.retire();
    if (error instanceof StreamError && error.code === "protocol_error") throw new HubError("bad_request");
    throw error;
  }
}

function opened(stream: ExchangeStream | undefined): ExchangeStream {
  if (!stream) throw new StreamError("internal_error", "the stream is not open yet");
  return stream;
}

function headOf(request: Request, kind: RequestHead["kind"], viewer: VerifiedViewer): ViewerHead {
  const fields = requestFields(request.headers, viewer);
  // Lengths come from the framing: what has no body has no length either.
  const headers = request.body === null ? fields.filter(([name]) => name !== "content-length") : fields;
  return { kind, method: request.method, target: targetOf(request), headers, prefix: viewer.prefix };
}
