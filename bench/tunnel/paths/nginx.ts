import { freePort } from "../../../e2e/port.ts";
import { startNginx } from "../nginx.ts";
import { processTree } from "../processes.ts";
import type { Path } from "./path.ts";

/** nginx as people put it before a program: kept connections, WebSockets, bodies streamed both ways and of any size. */
export const nginx: Path = {
  name: "nginx",
  title: "nginx",
  start: async (target) => {
    const port = await freePort();
    const child = await startNginx(port, blocks(port, target.port));
    const host = `127.0.0.1:${port}`;
    return {
      port,
      prefix: "",
      headers: { host },
      origin: `http://${host}`,
      processes: () => processTree("nginx", child.pid),
      stop: child.stop,
    };
  },
};

function blocks(port: number, target: number): string {
  return `
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  upstream program { server 127.0.0.1:${target}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass http://program;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }`;
}
