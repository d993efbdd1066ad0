import { durationWords, untilWords } from "./words.ts";

/** How long ago something was, with the word "ago" where a sentence needs it; app.js keeps it true while the page is open and says the exact time on hover. */
export function Since({ at, now, ago = false }: { at: number; now: number; ago?: boolean }) {
  const iso = new Date(at).toISOString();
  const words = durationWords(now - at);
  return (
    <time class="since" datetime={iso} data-since={at} data-ago={ago || undefined} title={iso}>
      {ago && words !== "now" ? `${words} ago` : words}
    </time>
  );
}

/** How long until something happens; app.js keeps it true as it does `Since`. */
export function Until({ at, now }: { at: number; now: number }) {
  const iso = new Date(at).toISOString();
  return (
    <time class="since" datetime={iso} data-until={at} title={iso}>
      {untilWords(at - now)}
    </time>
  );
}
