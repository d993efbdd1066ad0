import type { Path } from "./path.ts";

/** No path at all: what the program and the load can do. */
export const direct: Path = {
  name: "direct",
  title: "direct",
  start: ({ port }) => {
    const host = `127.0.0.1:${port}`;
    return Promise.resolve({
      port,
      prefix: "",
      headers: { host },
      origin: `http://${host}`,
      processes: () => [],
      stop: () => Promise.resolve(),
    });
  },
};
