import type { Load } from "./load.ts";
import { requestLoads } from "./requests.ts";

/** In the order of tables. */
export const loads: readonly Load[] = [...requestLoads];
