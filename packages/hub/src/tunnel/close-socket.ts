/** Closing a socket with whatever code the other side chose. */
import { truncateReason } from "@ai-orchestrator/protocol";

/** Closes with this code where it may be sent, else with 1011; does nothing to a socket that is closed already. 0 is no code. */
export function closeQuietly(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  if (code === 0 || code === 1005) socket.close();
  else if (isSendable(code)) socket.close(code, truncateReason(reason));
  else socket.close(1011, truncateReason(reason));
}

/** What may stand in a close frame (RFC 6455, 7.4). */
function isSendable(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
}
