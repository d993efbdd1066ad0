/** An nginx of the benchmark's own: one worker, no logs, everything it writes in a temporary folder. */
import { writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { type Child, startChild, untilListening } from "./children.ts";
import { temporaryFolder } from "./folder.ts";
import { nginx } from "./tools.ts";

/** Starts one with these `server` and `upstream` blocks; resolves when it listens on `port`. */
export async function startNginx(port: number, blocks: string): Promise<Child> {
  const folder = temporaryFolder("nginx");
  const file = path.join(folder, "nginx.conf");
  writeFileSync(file, configuration(folder, blocks));
  const child = startChild(nginx.program, ["-p", folder, "-c", file, "-e", path.join(folder, "error.log")]);
  await untilListening(port, child);
  return child;
}

function configuration(folder: string, blocks: string): string {
  // Its worker would run as nobody, who cannot enter the folder.
  const user = process.getuid?.() === 0 ? `user ${userInfo().username};` : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `${user}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
${temporary.map((kind) => `  ${kind}_temp_path ${folder}/${kind};`).join("\n")}
${blocks}
}
`;
}
