import { latency } from "./latency.ts";
import type { Load } from "./load.ts";
import { pageLoad } from "./page.ts";
import { requestLoads } from "./requests.ts";
import { streamingLoads } from "./streaming.ts";
import { transferLoads } from "./transfer.ts";
import { webSocketLoad } from "./websocket.ts";

/** In the order of tables. */
export const loads: readonly Load[] = [
  ...requestLoads,
  latency,
  ...transferLoads,
  webSocketLoad,
  ...streamingLoads,
  pageLoad,
];
