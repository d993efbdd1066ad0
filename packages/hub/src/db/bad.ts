import type { Env } from "../env.ts";
import { routes } from "../routes.ts";
import { x } from "./x.ts";
export const y: [Env | null, unknown, unknown] = [null, routes, x];
