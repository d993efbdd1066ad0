/** Fields a browser or an attacker sends to be taken for somebody else: none may reach an instance as sent. */
export const SPOOFED_FIELDS: readonly [name: string, value: string][] = [
  ["X-Orchestrator-User-Id", "github:666"],
  ["x-orchestrator-user-id", "github:666"],
  ["X-ORCHESTRATOR-USERNAME", "mallory"],
  ["x_orchestrator_user_id", "github:666"],
  ["X-Orchestrator_User-Id", "github:666"],
  ["X-Orchestrator-Viewer", "%7B%22userId%22%3A%22github%3A666%22%7D"],
  ["X-Orchestrator-Connector", "%7B%22owner%22%3A%22github%3A666%22%7D"],
  ["X-Forwarded-For", "203.0.113.66"],
  ["X-Forwarded-Host", "evil.example"],
  ["X-Forwarded-Proto", "gopher"],
  ["X_Forwarded_Host", "evil.example"],
  ["Forwarded", "for=203.0.113.66;host=evil.example"],
  ["X-Real-IP", "203.0.113.66"],
  ["CF-Connecting-IP", "203.0.113.66"],
  ["True-Client-IP", "203.0.113.66"],
  ["Proxy-Authorization", "Basic c3R1ZmY="],
];

/** Values that would start a new field, line or message where they are written out. */
export const SPLITTING_VALUES: readonly string[] = [
  "a\r\nx-injected: 1",
  "a\nx-injected: 1",
  "a\rx-injected: 1",
  "a\r\n\r\nHTTP/1.1 200 OK",
  "a\u0000b",
  "a\u000b\u000cb",
];
