/**
 * Heartbeats of version 1 are messages like others, and each would wake its object. So the platform is told to answer the text in
 * which this client writes them, as it answers version 2's: one text for all sockets of an object, kept by it for as long as there
 * are sockets.
 */
import { HEARTBEAT_PING, HEARTBEAT_PONG, version1 } from "@ai-orchestrator/protocol";
import { attach, type ConnectorAttachment } from "../attachments.ts";

/** What the platform takes, in bytes. */
const MAX_PING_BYTES = 2048;

/** To be said when the object is made: it may have been evicted from between sockets that beat otherwise. */
export function keepHeartbeat(state: DurableObjectState): void {
  state.setWebSocketAutoResponse(
    state.getWebSocketAutoResponse() ?? new WebSocketRequestResponsePair(HEARTBEAT_PING, HEARTBEAT_PONG),
  );
}

/** From here on the registered connection's heartbeat is answered by the platform; in version 1 in the words it is expected in. */
export function expectHeartbeat(state: DurableObjectState, attachment: ConnectorAttachment): void {
  if (attachment.protocol === 1) setPing(state, version1.pingText(attachment.clientId), attachment);
  else if (state.getWebSocketAutoResponse()?.request !== HEARTBEAT_PING)
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT_PING, HEARTBEAT_PONG));
}

/** Answers one that came in other words, and has the platform answer those from now on. */
export function answerPing(
  state: DurableObjectState,
  socket: WebSocket,
  attachment: ConnectorAttachment,
  text: string,
): void {
  attachment.heardAt = Date.now();
  attach(socket, attachment);
  socket.send(pong(attachment));
  const isLearnt = new TextEncoder().encode(text).byteLength <= MAX_PING_BYTES;
  if (attachment.state === "registered" && isLearnt) setPing(state, text, attachment);
}

function setPing(state: DurableObjectState, ping: string, attachment: ConnectorAttachment): void {
  state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(ping, pong(attachment)));
}

function pong({ clientId }: ConnectorAttachment): string {
  return version1.encodeMessage({ type: "pong", client_id: clientId });
}
