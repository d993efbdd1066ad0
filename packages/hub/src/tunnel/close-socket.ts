/** Closing a socket with whatever code the other side chose. */
import { isSendableCloseCode, truncateReason } from "@ai-orchestrator/protocol";

/** Closes with this code where it may be sent, else with 1011; does nothing to a socket that is closed already. 0 is no code. */
export function closeQuietly(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  if (code === 0 || code === 1005) socket.close();
  else if (isSendableCloseCode(code)) socket.close(code, truncateReason(reason));
  else socket.close(1011, truncateReason(reason));
}
