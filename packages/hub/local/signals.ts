const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface EndRequest {
  /** Aborted once the person, or the system, asks this process to end. */
  signal: AbortSignal;
  /** Resolves then. */
  received: Promise<void>;
  /** Gives the signals back to Node. */
  release(): void;
}

/** Takes over the signals that ask a process to end, the closing of its terminal among them. */
export function waitForEndRequest(): EndRequest {
  const controller = new AbortController();
  const end = () => {
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, end);
  return {
    signal: controller.signal,
    received: new Promise((resolve) => {
      controller.signal.addEventListener("abort", () => {
        resolve();
      });
    }),
    release: () => {
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
