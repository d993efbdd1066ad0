/** Runs in the page of a dashboard; it must not use anything of this module. */

/** A change that the page has shown; times are milliseconds of the page's clock since the epoch. */
export interface Seen {
  label: string;
  /** The `<n>` of `change-<n>;` in the card. */
  number: number;
  /** When the page's socket had the message. */
  messageAt: number;
  changedAt: number;
  shownAt: number;
}

/** Notes in `window.seen` when each card first shows a text `change-<n>;` with a higher n. */
export function watchCards(): void {
  const seen: Seen[] = [];
  Object.assign(window, { seen });
  const latest = new Map<string, number>();
  const now = () => performance.timeOrigin + performance.now();
  let messageAt = 0;
  document.addEventListener("htmx:ws:before:message:incoming", () => (messageAt = now()), true);

  const afterNextFrame = (done: () => void) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener("message", done);
      port1.start();
      port2.postMessage("");
    });
  };
  const look = (card: Element) => {
    const numbers = [...(card.textContent ?? "").matchAll(/change-(\d+);/g)].map(([, digits]) =>
      Number(digits),
    );
    const number = Math.max(0, ...numbers);
    if (number <= (latest.get(card.id) ?? 0)) return;
    latest.set(card.id, number);
    const one: Seen = {
      label: card.id.slice("card-".length),
      number,
      messageAt,
      changedAt: now(),
      shownAt: 0,
    };
    seen.push(one);
    afterNextFrame(() => (one.shownAt = now()));
  };
  new MutationObserver((records) => {
    const cards = new Set<Element>();
    for (const { target, addedNodes } of records) {
      for (const node of [target, ...addedNodes]) {
        const card = (node instanceof Element ? node : node.parentElement)?.closest(".card");
        if (card) cards.add(card);
      }
    }
    for (const card of cards) look(card);
  }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}
