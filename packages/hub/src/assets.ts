import { instanceRoutes } from "./routes.ts";

/** Set when the Worker is built; names the folder of the static files, so that they can be cached for ever. */
declare const ASSETS_VERSION: string;

/** URL path of one of the hub's static files; works on the hub's host and on every instance's. */
export function assetPath(file: string): string {
  return `${instanceRoutes.assets}${ASSETS_VERSION}/${file}`;
}
