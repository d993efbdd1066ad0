/** Headers of every page and answer of the hub's own, wherever it is shown. */

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
];

/** Other origins that one page has to do with: its forms may go to the one, the other may show it in a frame. */
export interface PageFriends {
  formTarget?: string | undefined;
  frameAncestor?: string | undefined;
}

/** The headers, given the origin the page talks to (its WebSocket is named too, for browsers whose 'self' excludes it). */
export function securityHeaders(origin: string, friends: PageFriends = {}): [name: string, value: string][] {
  const socketOrigin = origin.replace(/^http/, "ws");
  const policy = [
    ...CONTENT_SECURITY_POLICY,
    `frame-ancestors ${friends.frameAncestor ?? "'none'"}`,
    ["form-action 'self'", friends.formTarget ?? ""].join(" ").trim(),
    `connect-src 'self' ${socketOrigin}`,
  ];
  return [
    ["content-security-policy", policy.join("; ")],
    ["cross-origin-opener-policy", "same-origin"],
    ["cross-origin-resource-policy", "same-origin"],
    // Nothing to other origins. "no-referrer" would also make the browser send `Origin: null` with our own forms.
    ["referrer-policy", "same-origin"],
    ["x-content-type-options", "nosniff"],
    ["permissions-policy", "camera=(), geolocation=(), microphone=()"],
  ];
}

/**
 * Has the browser in which path mode is taken back forget what pages of the hub's origin have kept there: the instance's service worker,
 * and what the instance could have changed of the hub's own, whose worker comes again with the next page.
 */
export const CLEARS_STORAGE = ["clear-site-data", '"storage"'] as const;
