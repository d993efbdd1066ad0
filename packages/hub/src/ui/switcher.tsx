/** What there is to go to: instances as options of the command palette, and as links of the page in the mark's frame. */
import type { Child } from "hono/jsx";
import { assetPath } from "../assets.ts";
import { cardState, instanceTitle, type Instance } from "../instance.ts";
import { instanceUrl } from "../origins.ts";
import { routes } from "../routes.ts";
import { Document } from "./document.tsx";
import { Glyph, GlyphSprite } from "./glyph.tsx";
import { possibleActions } from "./instance-actions.ts";
import { Since } from "./time.tsx";
import type { View } from "./view.ts";
import { STATE_WORDS } from "./words.ts";

interface ListProps {
  /** In the order in which they are shown. */
  instances: readonly Instance[];
  view: View;
}

/** Options for the palette's listbox, which palette.js puts beside its own. */
export function SwitcherOptions({ instances, view }: ListProps) {
  return (
    <ul>
      {instances.map((instance) => (
        <li
          class="entry"
          role="option"
          aria-selected="false"
          data-item={`instance:${instance.label}`}
          data-label={instance.label}
          data-state={cardState(instance).state}
          data-title={instanceTitle(instance)}
          data-name={instance.name}
          data-text={`${instance.hostname} ${instance.project}`}
          data-href={`${instanceUrl(instance, view.origins)}/`}
          data-can={possibleActions(instance).join(" ")}
        >
          <Choice instance={instance} now={view.now} />
        </li>
      ))}
    </ul>
  );
}

function Choice({ instance, now }: { instance: Instance; now: number }) {
  const { state, since } = cardState(instance);
  return (
    <>
      <Glyph state={state} />
      <span class="entry-text">
        <bdi>{instanceTitle(instance)}</bdi> <bdi class="hint">{instance.hostname}</bdi>
      </span>
      <span class="entry-end">
        <span class="line-state">{STATE_WORDS[state]}</span> <Since at={since} now={now} />
      </span>
    </>
  );
}

interface FrameProps extends ListProps {
  /** The instance whose page shows the frame, where it is this person's, and the path of that page. */
  from: string | undefined;
  next: string | undefined;
  /** Origin of that page; in path mode the hub's own. */
  around: string | undefined;
  isPathMode: boolean;
}

/**
 * The page in the frame that an instance's mark opens. The page around it is the instance's and may move, cover and navigate
 * the frame, so nothing in here has an id that a fragment could try, and nothing changes more than whether the mark is shown.
 */
export function SwitcherFrame({ instances, view, from, next, around, isPathMode }: FrameProps) {
  return (
    <FramePage title="Switch · Orchestrator" view={view} around={around}>
      <input
        type="search"
        aria-label="Find an instance"
        placeholder="Find an instance"
        autocomplete="off"
        spellcheck={false}
      />
      <ul class="entries">
        {instances.map((instance) => (
          <li data-text={`${instanceTitle(instance)} ${instance.hostname} ${instance.project}`}>
            <a
              class="entry"
              href={`${instanceUrl(instance, view.origins)}/`}
              target="_top"
              aria-current={instance.label === from ? "page" : undefined}
              data-state={cardState(instance).state}
            >
              <Choice instance={instance} now={view.now} />
            </a>
          </li>
        ))}
      </ul>
      <p class="hint" role="status"></p>
      <footer>
        <a href={routes.dashboard} target="_top">
          Dashboard
        </a>
        <form method="post" action={routes.settings} target="_top">
          <input type="hidden" name="mark" value="off" />
          {from !== undefined && <input type="hidden" name="from" value={from} />}
          {next !== undefined && <input type="hidden" name="next" value={next} />}
          {isPathMode && <input type="hidden" name="mode" value="path" />}
          <button class="plain" type="submit">
            Hide the mark
          </button>
        </form>
      </footer>
    </FramePage>
  );
}

/** In the frame in place of the list, where there is none to show; leads out of the frame. */
export function SwitcherNotice({ text, link, view }: { text: string; link: string; view: View }) {
  return (
    <FramePage title="Switch · Orchestrator" view={view}>
      <p>{text}</p>
      <footer>
        <a href={routes.dashboard} target="_top">
          {link}
        </a>
      </footer>
    </FramePage>
  );
}

interface FramePageProps {
  title: string;
  view: View;
  /** Origin of the page that shows the frame. */
  around?: string | undefined;
  children?: Child;
}

/** Smaller than `Layout`: no forms, keys or dialogs that a page around it could make somebody use. */
function FramePage({ title, view, around, children }: FramePageProps) {
  return (
    <Document title={title}>
      <body data-now={view.now} data-around={around}>
        <GlyphSprite />
        <main class="switcher">
          <h1 class="visually-hidden">Instances</h1>
          {children}
        </main>
        <script src={assetPath("app.js")}></script>
        <script src={assetPath("switcher.js")}></script>
      </body>
    </Document>
  );
}
