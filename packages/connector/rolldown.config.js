/**
 * What is published: the library, the preload and the command in a few files, with the protocol and every small library in them that
 * nobody needs a copy of for themselves. Only ws stays a dependency: programs have it already, and its fixes must reach them.
 * Run from the repository's root by `npm run build`.
 */
import { defineConfig } from "rolldown";

export default defineConfig({
  input: {
    index: "packages/connector/src/index.ts",
    preload: "packages/connector/src/preload.ts",
    cli: "packages/connector/src/cli.ts",
  },
  platform: "node",
  external: ["ws"],
  transform: { target: "node20" },
  resolve: { conditionNames: ["source", "node", "import"] },
  output: {
    dir: "packages/connector/dist",
    format: "esm",
    entryFileNames: "[name].js",
    // Beside the others: what is read relative to a module is found from any of them.
    chunkFileNames: "[name]-[hash].js",
    // Stack traces that people send are to be readable, and maps would be larger than the code.
    minify: false,
    sourcemap: false,
  },
});
