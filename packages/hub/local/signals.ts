const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface EndRequest {
  /** Aborted once the person, or the system, asks this process to end. */
  signal: AbortSignal;
  /** Resolves then. */
  received: Promise<void>;
  /** Gives the signals back to Node. */
  release(): void;
}

/** Milliseconds between two looks at whether npm is still there. */
const LOOK_EVERY_MS = 500;

/**
 * Takes over the signals that ask a process to end, the closing of its terminal among them. npm does not pass on what
 * ends it (only its shell gets SIGTERM), so the end of the parent is such a request too where npm has started this.
 */
export function waitForEndRequest(): EndRequest {
  const controller = new AbortController();
  const end = () => {
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, end);
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.env["npm_lifecycle_event"] !== undefined && process.ppid !== parent) end();
  }, LOOK_EVERY_MS);
  return {
    signal: controller.signal,
    received: new Promise((resolve) => {
      controller.signal.addEventListener("abort", () => {
        resolve();
      });
    }),
    release: () => {
      clearInterval(timer);
      for (const name of SIGNALS) process.off(name, end);
    },
  };
}

/** Runs `make` and removes the handlers of ending signals that it has set: who starts this process decides how it ends. */
export function withoutSignalHandlers<T>(make: () => T): T {
  const before = new Set(SIGNALS.flatMap((name) => process.listeners(name)));
  const made = make();
  for (const name of SIGNALS) {
    for (const listener of process.listeners(name)) if (!before.has(listener)) process.off(name, listener);
  }
  return made;
}
