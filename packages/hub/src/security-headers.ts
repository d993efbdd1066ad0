/** Headers of every page and answer of the hub's own, wherever it is shown. */

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
];

/**
 * The headers, given the origin the page talks to (its WebSocket is named too, for browsers whose 'self' excludes it).
 * `formTarget`: another origin that the page's forms may go to.
 */
export function securityHeaders(origin: string, formTarget?: string): [name: string, value: string][] {
  const socketOrigin = origin.replace(/^http/, "ws");
  const formAction = formTarget === undefined ? "form-action 'self'" : `form-action 'self' ${formTarget}`;
  return [
    [
      "content-security-policy",
      [...CONTENT_SECURITY_POLICY, formAction, `connect-src 'self' ${socketOrigin}`].join("; "),
    ],
    ["cross-origin-opener-policy", "same-origin"],
    ["cross-origin-resource-policy", "same-origin"],
    // Nothing to other origins. "no-referrer" would also make the browser send `Origin: null` with our own forms.
    ["referrer-policy", "same-origin"],
    ["x-content-type-options", "nosniff"],
    ["permissions-policy", "camera=(), geolocation=(), microphone=()"],
  ];
}
