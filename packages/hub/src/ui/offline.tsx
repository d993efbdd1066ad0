import { assetPath } from "../assets.ts";
import { routes } from "../routes.ts";
import { Document } from "./document.tsx";

/** Shown by the service worker, in the place of any page, while the hub does not answer; recover.js then opens that page. */
export function OfflinePage() {
  return (
    <Document title="The hub does not answer · Orchestrator">
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
    </Document>
  );
}
