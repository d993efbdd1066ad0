import path from "node:path";

/** Folder of the repository's root. */
export const repository = path.resolve(import.meta.dirname, "../../..");

/** Folder of the package `hub`. */
export const hubPackage = path.join(repository, "packages/hub");

/** What the build leaves and the runner reads. */
export const built = {
  worker: path.join(hubPackage, "dist/worker/worker.js"),
  /** Options of the Worker in Miniflare's words, read out of `wrangler.jsonc`. */
  options: path.join(hubPackage, "dist/worker-options.json"),
  public: path.join(hubPackage, "dist/public"),
  connectorCli: path.join(repository, "packages/connector/dist/cli.js"),
};

/** Keeps wrangler and Miniflare off the internet and quiet. */
export const offline = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};
