/** Path mode's shim as browsers get it. */
import path from "node:path";
import { buildSync } from "esbuild";
import { hubPackage } from "./paths.ts";

/** Folder of its sources. */
export const shimFolder = path.join(hubPackage, "shim");

/** The sources as one classic script, and a small one: pages wait for it. */
export function bundleShim(): string {
  const { outputFiles } = buildSync({
    entryPoints: [path.join(shimFolder, "main.js")],
    write: false,
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2023",
    logLevel: "silent",
  });
  return outputFiles.map(({ text }) => text).join("");
}
