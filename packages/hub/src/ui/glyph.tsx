import type { CardState } from "../instance.ts";

/** The sign of a state: its shape says it without its colour. The word always stands beside it. */
export function Glyph({ state }: { state: CardState }) {
  return (
    <svg class="glyph" data-state={state} viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <use href={`#glyph-${state}`} />
    </svg>
  );
}

/** The shapes, once per page. */
export function GlyphSprite() {
  return (
    <svg class="sprite" aria-hidden="true" width="0" height="0">
      <symbol id="glyph-needs_permission" viewBox="0 0 16 16">
        <path
          fill="currentColor"
          fill-rule="evenodd"
          d="M8 .6 15.4 8 8 15.4.6 8Zm-.9 4v4.2h1.8V4.6Zm0 5.4v1.8h1.8V10Z"
        />
      </symbol>
      <symbol id="glyph-needs_answer" viewBox="0 0 16 16">
        <path fill="currentColor" d="M2 2h12v9H8.5L5 14.5V11H2Z" />
      </symbol>
      <symbol id="glyph-failed" viewBox="0 0 16 16">
        <path fill="none" stroke="currentColor" stroke-width="2.6" d="m3 3 10 10M13 3 3 13" />
      </symbol>
      <symbol id="glyph-working" viewBox="0 0 16 16">
        <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2" opacity=".35" />
        <path fill="none" stroke="currentColor" stroke-width="2.4" d="M8 2a6 6 0 0 1 6 6" />
        <circle cx="8" cy="8" r="2.4" fill="currentColor" />
      </symbol>
      <symbol id="glyph-done" viewBox="0 0 16 16">
        <path fill="none" stroke="currentColor" stroke-width="2.4" d="m2.5 8.5 3.7 3.7 7.3-8" />
      </symbol>
      <symbol id="glyph-idle" viewBox="0 0 16 16">
        <circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="2" />
      </symbol>
      <symbol id="glyph-unreachable" viewBox="0 0 16 16">
        <circle
          cx="8"
          cy="8"
          r="5.5"
          fill="none"
          stroke="currentColor"
          stroke-width="1.8"
          stroke-dasharray="2.6 1.8"
        />
        <path fill="none" stroke="currentColor" stroke-width="1.8" d="m3.5 12.5 9-9" />
      </symbol>
      <symbol id="icon-person" viewBox="0 0 16 16">
        <circle cx="8" cy="5" r="3" fill="none" stroke="currentColor" stroke-width="1.8" />
        <path fill="none" stroke="currentColor" stroke-width="1.8" d="M2.5 14.5a5.5 5.5 0 0 1 11 0" />
      </symbol>
      <symbol id="icon-more" viewBox="0 0 16 16">
        <path fill="none" stroke="currentColor" stroke-width="1.8" d="m4 6 4 4 4-4" />
      </symbol>
    </svg>
  );
}
