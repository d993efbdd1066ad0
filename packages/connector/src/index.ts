/**
 * The public API. What is exported here stays as it is within a major version; `public-api.test.ts` holds the list. The preload
 * (`@ai-orchestrator/connector/preload`) exports nothing. docs/embedding.md shows how the parts are used.
 */
export {
  type Adapter,
  createPlainAdapter,
  type HeaderList,
  type RequestParts,
  type ResponseParts,
  type WebSocketObserver,
} from "./adapter.ts";
export {
  createClaudecodeuiAdapter,
  type ClaudecodeuiAdapterOptions,
} from "./claudecodeui/claudecodeui-adapter.ts";
export type { OrchestratorClientEvents, OrchestratorClientOptions } from "./client-contract.ts";
export { OrchestratorClient } from "./client.ts";
export { findClaudecodeui, type FindOptions, type FoundApplication } from "./discovery.ts";
export type { InitializeOptions } from "./initialize-options.ts";
export { createOrchestratorClientFromEnv, initializeOrchestrator } from "./initialize.ts";
export {
  type Flags,
  type Origin,
  type Origins,
  readSettings,
  type ReadSettings,
  type Settings,
  SettingsError,
  type SettingsSources,
} from "./settings.ts";
export { StatusTracker, type StatusReport } from "./status.ts";

// What the protocol calls the things that the types above hold.
export type {
  Absence,
  AccessList,
  ClaudeSession,
  ConnectionErrorCode,
  InstanceMetadata,
  LogLine,
  Status,
} from "@ai-orchestrator/protocol";
