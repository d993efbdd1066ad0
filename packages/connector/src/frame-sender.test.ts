import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { Writable } from "node:stream";
import { encodeFrames, type Frame } from "@ai-orchestrator/protocol";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { sendFrames } from "./frame-sender.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const frame = (bytes: number, streamId: number): Frame => ({
  type: 3,
  flags: streamId & 7,
  streamId,
  payload: Uint8Array.from({ length: bytes }, (_, index) => index * 31 + streamId),
});
const lengthOf = (frames: Frame[]) => frames.reduce((sum, { payload }) => sum + 8 + payload.byteLength, 0);

/** A WebSocket's own socket, it, and what arrives of it. */
async function connect() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  const [[{ socket }], [peer]] = (await Promise.all([
    once(client, "upgrade"),
    once(server, "connection"),
    once(client, "open"),
  ])) as [[{ socket: Socket }], [WebSocket], unknown];
  ends.push(() => {
    client.terminate();
    server.close();
  });
  const arrived: Buffer[] = [];
  peer.on("message", (data: Buffer) => arrived.push(data));
  return { client, socket, peer, arrived };
}

test("each message arrives as it was meant, whatever its size, in order with those that ws sends", async () => {
  const { client, socket, peer, arrived } = await connect();
  const messages = [
    [frame(0, 1)],
    [frame(117, 2)],
    [frame(118, 3)],
    [frame(4095, 4), frame(4096, 5)],
    [frame(4096, 6), frame(10, 7), frame(65_000, 8), frame(3, 0xffff_ffff)],
    [frame(65_519, 9)],
    [frame(65_528, 10)],
    Array.from({ length: 15 }, (_, index) => frame(65_536, index + 1)),
  ];
  const closed = once(peer, "close");
  for (const frames of messages) {
    client.send("between");
    sendFrames(socket, frames, lengthOf(frames));
  }
  client.close(1000);
  await closed;
  const wanted = messages.flatMap((frames) => [Buffer.from("between"), Buffer.from(encodeFrames(frames))]);
  expect(arrived.map((data) => data.byteLength)).toEqual(wanted.map((data) => data.byteLength));
  expect(arrived.every((data, index) => wanted[index]?.equals(data))).toBe(true);
});

test("a body's bytes are handed on as they are, small frames in one piece", () => {
  const pieces: Uint8Array[] = [];
  const socket = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      pieces.push(chunk);
      done();
    },
  });
  const [small, large] = [frame(100, 1), frame(65_536, 2)];
  const frames = [small, small, large, small, small];
  sendFrames(socket, frames, lengthOf(frames));
  expect(pieces).toHaveLength(3);
  expect(pieces[1]?.buffer).toBe(large.payload.buffer);
});
