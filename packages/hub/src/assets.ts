import { instanceRoutes } from "./routes.ts";

/** Set when the Worker is built; names the folder of the static files, so that they can be cached for ever. */
declare const ASSETS_VERSION: string;

/** Another one with each change of a static file. */
export const assetsVersion: string = ASSETS_VERSION;

/** URL path of one of the hub's static files; works on the hub's host and on every instance's. */
export function assetPath(file: string): string {
  return `${instanceRoutes.assets}${assetsVersion}/${file}`;
}
