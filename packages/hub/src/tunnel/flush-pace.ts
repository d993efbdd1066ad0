/**
 * When frames for the connector leave. Each message of a browser's socket is a turn of its own here, so each would be a message to the
 * connector; where they follow each other too fast for that, they are sent together, a moment later. Who waits for an answer before
 * sending more is never that fast.
 */

/** More messages in one millisecond than this are too many. */
const MAX_IN_A_MILLISECOND = 8;
/** As few frames as this, after a moment of waiting, were not worth it. */
const FEW_FRAMES = 3;

/** A `schedule` for `Connection`. */
export function createFlushPace(now: () => number = () => Date.now()): (flush: () => number) => void {
  let [millisecond, sent, isBusy] = [0, 0, false];
  return (flush) => {
    const at = now();
    sent = at === millisecond ? sent + 1 : 1;
    millisecond = at;
    if (sent > MAX_IN_A_MILLISECOND) isBusy = true;
    if (isBusy) setTimeout(() => (isBusy = flush() > FEW_FRAMES), 0);
    else queueMicrotask(flush);
  };
}
