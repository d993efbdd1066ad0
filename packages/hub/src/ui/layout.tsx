import type { Child } from "hono/jsx";
import { assetPath } from "../assets.ts";
import type { Session } from "../auth/session.ts";
import { routes } from "../routes.ts";
import { Dialogs } from "./dialogs.tsx";
import { Document } from "./document.tsx";
import { GlyphSprite } from "./glyph.tsx";
import { PaletteButton } from "./palette.tsx";

/** htmx without anything a strict policy forbids: no injected style; what the person opened or pressed, and what the page noted itself, stays. */
const HTMX_CONFIG = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  extensions: "ws",
  morphIgnore: ["data-htmx-powered", "open", "data-page-", "aria-pressed"],
  ws: { reconnectDelay: 300, reconnectMaxDelay: 5000, pauseOnBackground: false },
});

/** Where the keyboard goes past the header. */
const CONTENT_ID = "content";

interface LayoutProps {
  title: string;
  /** Who is signed in; without one the page has no navigation. */
  session?: Pick<Session, "login" | "role">;
  /** Which entry of the navigation the page is. */
  current?: "dashboard" | "activity" | "tokens" | "sessions" | "settings" | "access" | "usage";
  now?: number;
  children?: Child;
}

/** Every page of the hub. */
export function Layout({ title, session, current, now, children }: LayoutProps) {
  return (
    <Document title={title} head={<InstallableHead />}>
      <body data-now={now}>
        <GlyphSprite />
        <header class="top">
          {session !== undefined && (
            <a class="visually-hidden" href={`#${CONTENT_ID}`}>
              Skip to the content
            </a>
          )}
          <a class="brand" href={routes.home}>
            Orchestrator
          </a>
          {session !== undefined && <PaletteButton />}
          {session !== undefined && <Navigation session={session} current={current} />}
          {session !== undefined && <Account session={session} current={current} />}
        </header>
        <div id={CONTENT_ID}></div>
        {children}
        {session !== undefined && <Dialogs session={session} />}
        <Scripts isSignedIn={session !== undefined} isBoard={current === "dashboard"} />
      </body>
    </Document>
  );
}

/** What htmx, and a browser that installs the hub as an app, want to know. */
function InstallableHead() {
  return (
    <>
      <meta name="theme-color" content="#ffffff" media="(prefers-color-scheme: light)" data-for="light" />
      <meta name="theme-color" content="#181c1e" media="(prefers-color-scheme: dark)" data-for="dark" />
      <meta name="apple-mobile-web-app-title" content="Orchestrator" />
      <meta name="htmx-config" content={HTMX_CONFIG} />
      <link rel="apple-touch-icon" href={assetPath("icon-180.png")} />
      <link rel="manifest" href={routes.manifest} />
    </>
  );
}

/**
 * At the end: htmx and its extension, which are not deferred, so that htmx begins when the page has been read and every deferred
 * script has run; deferred itself it would begin before them. The deferred ones, in this order, hold up no first paint.
 */
function Scripts({ isSignedIn, isBoard }: { isSignedIn: boolean; isBoard: boolean }) {
  const files = [
    "app",
    ...(isSignedIn ? ["dialogs", "keys", "rank", "palette", "installation"] : []),
    ...(isBoard ? ["board", "live", "badge"] : []),
  ];
  return (
    <>
      {files.map((file) => (
        <script src={assetPath(`${file}.js`)} defer></script>
      ))}
      {["htmx.min", "hx-ws.min"].map((file) => (
        <script src={assetPath(`${file}.js`)}></script>
      ))}
    </>
  );
}

interface NavigationProps {
  session: Pick<Session, "login" | "role">;
  current: LayoutProps["current"];
}

type Current = LayoutProps["current"];

function markOf(current: Current) {
  return (page: Current) => (page === current ? ("page" as const) : undefined);
}

function Navigation({ session, current }: NavigationProps) {
  const mark = markOf(current);
  return (
    <nav class="nav" aria-label="Pages">
      <a href={routes.dashboard} aria-current={mark("dashboard")}>
        Instances
      </a>
      <a href={routes.activity} aria-current={mark("activity")}>
        Activity
      </a>
      <a href={routes.tokens} aria-current={mark("tokens")}>
        Tokens
      </a>
      {session.role === "admin" && (
        <a href={routes.access} aria-current={mark("access")}>
          Access
        </a>
      )}
    </nav>
  );
}

/** What is the person's own, behind their name. */
function Account({ session, current }: NavigationProps) {
  const mark = markOf(current);
  return (
    <>
      <button class="plain account" type="button" popovertarget="account">
        <span class="visually-hidden">Account of </span>
        <bdi>{session.login}</bdi>
      </button>
      <nav class="menu" id="account" aria-label="Account" popover="auto">
        <a href={routes.sessions} aria-current={mark("sessions")}>
          Sign-ins
        </a>
        <a href={routes.settings} aria-current={mark("settings")}>
          Settings
        </a>
        {session.role === "admin" && (
          <a href={routes.usage} aria-current={mark("usage")}>
            Usage
          </a>
        )}
        <form method="post" action={routes.signOut}>
          <button class="plain" type="submit" title={`Signed in as ${session.login}`}>
            Sign out
          </button>
        </form>
      </nav>
    </>
  );
}
