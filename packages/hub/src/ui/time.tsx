import { durationWords } from "./words.ts";

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
