export * from "./adapter.ts";
export * from "./client-contract.ts";
export * from "./client.ts";
export {
  createClaudecodeuiAdapter,
  type ClaudecodeuiAdapterOptions,
} from "./claudecodeui/claudecodeui-adapter.ts";
export { findClaudecodeui, type FoundApplication } from "./discovery.ts";
export { StatusTracker, type StatusReport } from "./status.ts";
