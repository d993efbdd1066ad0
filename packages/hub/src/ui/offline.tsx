import { html } from "hono/html";
import { assetPath } from "../assets.ts";
import { routes } from "../routes.ts";

/** Shown by the service worker, in the place of any page, while the hub does not answer; recover.js then opens that page. */
export function OfflinePage() {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>The hub does not answer · Orchestrator</title>
        <link rel="icon" href={assetPath("icon.svg")} type="image/svg+xml" />
        <script src={assetPath("theme.js")}></script>
        <link rel="stylesheet" href={assetPath("app.css")} />
      </head>
      <body>
        <main class="notice">
          <p class="notice-brand">Orchestrator</p>
          <h1>The hub does not answer</h1>
          <p>This browser has no network, or the hub is away. Your instances run on without it.</p>
          <p>The page you asked for opens by itself as soon as the hub answers.</p>
          <p
            class="waiting"
            id="waiting"
            role="status"
            data-ready={routes.offline}
            data-silent="Still trying."
          >
            Waiting for it.
          </p>
        </main>
        <script src={assetPath("recover.js")}></script>
      </body>
    </html>
  );
  return html`<!doctype html>${page}`;
}
