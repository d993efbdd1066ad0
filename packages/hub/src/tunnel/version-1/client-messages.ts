/** A message of a version 1 client: what of it is the same in every version goes the way of every version. */
import {
  ConnectionError,
  DEFAULT_PEER_LIMITS,
  version1,
  type Register,
  type StatusUpdate,
} from "@ai-orchestrator/protocol";
import type { ConnectorAttachment } from "../attachments.ts";
import { answerPing } from "./heartbeat.ts";
import type { VersionOneConnection } from "./version-one-connection.ts";

/** What is asked of the link to the instance. */
interface VersionOneLink {
  state: DurableObjectState;
  /** This socket's connection, where it is the registered one. */
  connection(): VersionOneConnection | undefined;
  register(message: Register): Promise<void>;
  report(update: StatusUpdate): Promise<void>;
}

/** Throws `ConnectionError` for what costs the connection. */
export async function receiveVersionOne(
  link: VersionOneLink,
  socket: WebSocket,
  attachment: ConnectorAttachment,
  data: string | ArrayBuffer,
): Promise<void> {
  if (typeof data !== "string") throw new ConnectionError("bad_message", "a binary message");
  const message = version1.parseMessage(data);
  if (message === null) return;
  switch (message.type) {
    case "ping":
      return answerPing(link.state, socket, link.connection()?.attachment ?? attachment, data);
    case "register":
      return link.register(registerOf(message, attachment));
    case "status_update":
      return link.report({ type: "status_update", status: message.status, sessions: [] });
    default:
      return answered(link, socket, message);
  }
}

function answered(
  link: VersionOneLink,
  socket: WebSocket,
  message: Parameters<VersionOneConnection["answered"]>[0],
): void {
  const isExpected = link.connection()?.answered(message) ?? false;
  if (isExpected || message.type !== "malformed") return;
  // One that cannot even register will not learn to.
  if (message.of === "register") throw new ConnectionError("unauthorized", message.problem);
  socket.send(version1.encodeMessage({ type: "error", message: message.problem }));
}

/** A registration as version 2 has it. Throws `ConnectionError` `unauthorized` for another's name: its settings are wrong. */
function registerOf(
  { client_id, metadata }: version1.Register,
  { clientId, protocol }: ConnectorAttachment,
): Register {
  if ((client_id ?? clientId) !== clientId)
    throw new ConnectionError("unauthorized", "register: client_id differs from the one in the URL");
  const { hostname, project, platform, version, status } = metadata;
  return {
    type: "register",
    protocol,
    client_id: clientId,
    software: { name: "version 1 client", version },
    metadata: { hostname, project, platform },
    capabilities: [],
    limits: DEFAULT_PEER_LIMITS,
    status,
    sessions: [],
  };
}
