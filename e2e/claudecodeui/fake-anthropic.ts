/**
 * A stand-in for Anthropic's API on loopback, as much of it as Claude Code needs: streamed answers to `POST /v1/messages`,
 * its counting of tokens, its `HEAD /`. What it answers follows from the prompt, so a test reads like a conversation.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** One answer: words streamed one by one, each paragraph a block of its own, or a tool Claude Code shall use. */
export type Turn = { paragraphs: string[]; pauseMs: number } | { tool: string; input: object };

/** What Claude Code asks: the person's last prompt, and whether a tool has answered since. */
export interface Asked {
  prompt: string;
  hasToolResult: boolean;
}

export interface FakeAnthropic {
  /** For `ANTHROPIC_BASE_URL`. */
  origin: string;
  /** Every prompt that was answered, in order. */
  asked: Asked[];
  /** Replaces `answerByPrompt`. */
  answer: (asked: Asked) => Turn;
  stop(): Promise<void>;
}

/** Starts one on a free port. */
export async function startFakeAnthropic(): Promise<FakeAnthropic> {
  const server = createServer((request, response) => {
    handle(fake, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const fake: FakeAnthropic = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answer: answerByPrompt,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

/**
 * "permission" in a prompt leads to a command Claude Code must ask about, "question" to a question of its own; both end, as
 * every other prompt, in some seconds of streamed words.
 */
function answerByPrompt({ prompt, hasToolResult }: Asked): Turn {
  if (!hasToolResult && prompt.includes("permission")) {
    return { tool: "Bash", input: { command: "touch made-by-claude", description: "Make a file" } };
  }
  if (!hasToolResult && prompt.includes("question")) {
    const options = [
      { label: "Red", description: "The first" },
      { label: "Blue", description: "The second" },
    ];
    const questions = [{ question: "Which colour?", header: "Colour", multiSelect: false, options }];
    return { tool: "AskUserQuestion", input: { questions } };
  }
  return { paragraphs: ["The answer comes", "word by word", "and is forty-two."], pauseMs: 150 };
}

async function handle(
  fake: FakeAnthropic,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const path = request.url?.split("?")[0] ?? "";
  if (request.method !== "POST" || path !== "/v1/messages") {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(path.endsWith("count_tokens") ? '{"input_tokens":10}' : "{}");
    return;
  }
  const { model, messages } = JSON.parse(body) as { model: string; messages: Message[] };
  const asked = readAsked(messages);
  fake.asked.push(asked);
  response.writeHead(200, { "content-type": "text/event-stream" });
  await stream(response, model, fake.answer(asked), fake.asked.length);
  response.end();
}

interface Message {
  role: string;
  content: string | { type: string; text?: string }[];
}

function readAsked(messages: Message[]): Asked {
  const blocks = messages
    .filter(({ role }) => role === "user")
    .flatMap(({ content }) => (typeof content === "string" ? [{ type: "text", text: content }] : content));
  // Claude Code adds remarks of its own to what the person wrote.
  const isPrompt = (block: { type: string; text?: string }) =>
    block.type === "text" && block.text?.trimStart().startsWith("<system-reminder>") === false;
  const last = blocks.findLastIndex(isPrompt);
  return {
    prompt: blocks[last]?.text ?? "",
    hasToolResult: blocks.slice(last + 1).some(({ type }) => type === "tool_result"),
  };
}

async function stream(response: ServerResponse, model: string, turn: Turn, number: number): Promise<void> {
  const send = (type: string, data: object) => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  };
  const usage = { input_tokens: 10, output_tokens: 1 };
  const message = { id: `msg_${number}`, type: "message", role: "assistant", model, content: [], usage };
  send("message_start", { message: { ...message, stop_reason: null, stop_sequence: null } });
  const blocks = "tool" in turn ? [turn] : turn.paragraphs.map((text) => ({ text, pauseMs: turn.pauseMs }));
  for (const [index, block] of blocks.entries()) {
    const events = "tool" in block ? toolEvents(block, number) : textEvents(block);
    for await (const { type, ...data } of events) {
      if (response.destroyed) return;
      send(type, { index, ...data });
    }
    send("content_block_stop", { index });
  }
  const reason = "tool" in turn ? "tool_use" : "end_turn";
  send("message_delta", { delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 5 } });
  send("message_stop", {});
}

type BlockEvent =
  | { type: "content_block_start"; content_block: object }
  | { type: "content_block_delta"; delta: object };

function toolEvents({ tool, input }: { tool: string; input: object }, number: number): BlockEvent[] {
  const block = { type: "tool_use", id: `toolu_${number}`, name: tool, input: {} };
  const delta = { type: "input_json_delta", partial_json: JSON.stringify(input) };
  return [
    { type: "content_block_start", content_block: block },
    { type: "content_block_delta", delta },
  ];
}

async function* textEvents({ text, pauseMs }: { text: string; pauseMs: number }): AsyncGenerator<BlockEvent> {
  yield { type: "content_block_start", content_block: { type: "text", text: "" } };
  for (const word of text.split(" ")) {
    yield { type: "content_block_delta", delta: { type: "text_delta", text: `${word} ` } };
    await delay(pauseMs);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
