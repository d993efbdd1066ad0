/** Runs in the page of a dashboard; it must not use anything of this module. */

export interface PageNotes {
  /** Milliseconds for which the page could do nothing else, of each task that took longer than 50. */
  longTasks: number[];
  /** When the page had its first word from the hub: from then on it is all there. Milliseconds since the navigation. */
  usableAt: number;
}

/** Before the page's first script: begins `window.notes`. */
export function notePage(): void {
  const notes: PageNotes = { longTasks: [], usableAt: 0 };
  Object.assign(window, { notes });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) notes.longTasks.push(duration);
  }).observe({ type: "longtask", buffered: true });
  const told = () => (notes.usableAt ||= performance.now());
  document.addEventListener("htmx:ws:after:message:incoming", told);
}

/** When that many cards say this, milliseconds since the epoch: after a frame in which they do. */
export function whenShown([count, title]: readonly [number, string]): Promise<number> {
  return new Promise((resolve) => {
    const look = (): void => {
      const shown = document.querySelectorAll(`.card .line-text[title="${title}"]`).length;
      if (shown < count) return void requestAnimationFrame(look);
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener("message", () => resolve(performance.timeOrigin + performance.now()));
      port1.start();
      port2.postMessage("");
    };
    requestAnimationFrame(look);
  });
}

/** Milliseconds from a text in a field to the frame that shows what follows. */
export function timeTyping([selector, text]: readonly [string, string]): Promise<number> {
  const field = document.querySelector<HTMLInputElement>(selector);
  if (field === null) throw new Error(`There is no ${selector}.`);
  const begun = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  return new Promise((resolve) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener("message", () => resolve(performance.now() - begun));
      port1.start();
      port2.postMessage("");
    });
  });
}
