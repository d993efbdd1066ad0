/** The limits of version 2, with units and reasons. SPEC.md "Limits" is the same table in prose. */
export const LIMITS = {
  /** Bytes of payload in one frame. 64 KiB measured fastest; smaller halves the speed, larger only delays others. */
  framePayloadBytes: 64 * 1024,
  /** Bytes in one binary WebSocket message, all its frames together. Well under what workerd takes (32 MiB). */
  messageBytes: 1024 * 1024,
  /** Bytes of a control message (text). A status of 200 sessions with the longest texts in three-byte characters fits. */
  controlBytes: 1024 * 1024,
  /** Bytes of a header block, which must fit one frame. */
  headerBlockBytes: 64 * 1024,
  /** Bytes a peer may have in flight on one stream before credit returns, as long as its window has not grown. */
  streamWindowBytes: 512 * 1024,
  /** What a window grows to, and what all windows of a connection may grow by together, in bytes. */
  grownWindowBytes: 4 * 1024 * 1024,
  windowGrowthBytes: 8 * 1024 * 1024,
  /** The largest window a stream may ever have. */
  maxWindowBytes: 0x7fff_ffff,
  /** Bytes that one end holds for all streams of a connection: an object of the hub has 128 MiB in all. */
  connectionHeldBytes: 64 * 1024 * 1024,
  /** Streams open at once on one connection. */
  maxStreams: 256,
  /** Bytes of one proxied WebSocket message. */
  webSocketMessageBytes: 16 * 1024 * 1024,
  /** Bytes of a reason in RESET and CLOSE: what a WebSocket close frame can carry. */
  reasonBytes: 123,
  /** Seconds from the upgrade to a valid `register`. */
  registerTimeoutSeconds: 10,
  /** Seconds between heartbeats, and to wait for the answer to one. */
  heartbeatIntervalSeconds: 30,
  heartbeatTimeoutSeconds: 10,
} as const;

/** The longest texts in control messages, in UTF-16 code units, and the most sessions. */
export const TEXT_LIMITS = {
  sessionId: 128,
  sessionTitle: 300,
  sessionProject: 1024,
  sessions: 200,
  hostname: 255,
  project: 4096,
  platform: 64,
  software: 64,
  logLine: 300,
  logLines: 200,
  gitHubName: 160,
  accessUsers: 100,
} as const;

/** What each end tells the other at registration about what it will take. Bytes and counts. */
export interface PeerLimits {
  stream_window: number;
  max_streams: number;
  max_websocket_message: number;
}

export const DEFAULT_PEER_LIMITS: PeerLimits = {
  stream_window: LIMITS.streamWindowBytes,
  max_streams: LIMITS.maxStreams,
  max_websocket_message: LIMITS.webSocketMessageBytes,
};
