/**
 * What is left in a browser when path mode is no longer allowed: a service worker of the instance, which goes on answering for its pages
 * on the hub's origin, and acts there in its person's name, whatever the hub refuses. Browsers ask for its script when a page is opened.
 */

/** Takes the place of the instance's worker and leaves with it. */
const SCRIPT = `addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(registration.unregister()));
`;

/** True where a browser asks for the script of a service worker. */
export function isWorkerScript(request: Request): boolean {
  return request.headers.get("service-worker") === "script";
}

/** The script for a worker of an instance that this person does not see in path mode. */
export function leavingWorker(): Response {
  const headers = { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-store" };
  return new Response(SCRIPT, { headers });
}
