import { durationWords } from "./words.ts";

/** How long ago something was; app.js keeps it true while the page is open and says the exact time on hover. */
export function Since({ at, now }: { at: number; now: number }) {
  const iso = new Date(at).toISOString();
  return (
    <time class="since" datetime={iso} data-since={at} title={iso}>
      {durationWords(now - at)}
    </time>
  );
}
