/** The command palette: a field over a list of everything to go to and to do. palette.js adds the instances, and finds. */
import { GROUPINGS } from "../instance.ts";
import { routes } from "../routes.ts";
import { forgetQuestion, INSTANCE_ACTIONS } from "./instance-actions.ts";

interface Entry {
  words: string;
  /** Other words by which it is found. */
  also?: string;
  keys?: string;
  /** Where it leads, or what it is about. */
  href?: string;
  /** What palette.js does, and with what. */
  run?: "theme" | "filter" | "search" | "help" | "submit";
  value?: string;
  /** Only where the board is. */
  onBoard?: true;
}

const PAGES: Entry[] = [
  { words: "Instances", also: "dashboard home board", href: routes.dashboard, keys: "g i" },
  { words: "Activity", also: "timeline history log what happened", href: routes.activity, keys: "g a" },
  { words: "Pair an instance", also: "connect approve code new add", href: routes.pair },
  { words: "Tokens", also: "connect", href: routes.tokens, keys: "g t" },
  { words: "Sign-ins", also: "sessions browsers", href: routes.sessions, keys: "g s" },
  { words: "Settings", also: "preferences theme mark", href: routes.settings, keys: "g ," },
  { words: "Health", also: "status version", href: routes.health },
];

const ADMIN_PAGES: Entry[] = [
  { words: "Access", also: "who gets in people allow-list", href: routes.access },
  { words: "Audit log", also: "who did what", href: routes.audit },
  { words: "Usage", also: "bill cost quota plan forecast", href: routes.usage },
];

const FILTERS: Entry[] = [
  { words: "Show only what needs you", value: "needsYou" },
  { words: "Show only done", value: "done" },
  { words: "Show only busy", value: "busy" },
  { words: "Show only unreachable", value: "unreachable" },
  { words: "Show all", value: "" },
].map((entry): Entry => ({ ...entry, also: "filter", run: "filter", onBoard: true }));

const COMMANDS: Entry[] = [
  ...FILTERS,
  { words: "Search instances", also: "find filter", run: "search", keys: "/", onBoard: true },
  ...GROUPINGS.map((one): Entry => ({ words: `Group by ${one}`, href: `${routes.dashboard}?group=${one}` })),
  { words: "Dark theme", also: "night colour", run: "theme", value: "dark" },
  { words: "Light theme", also: "day colour", run: "theme", value: "light" },
  { words: "Theme as the system", also: "auto colour", run: "theme", value: "system" },
  { words: "Keys", also: "keyboard shortcuts help", run: "help", keys: "?" },
  { words: "Sign out", also: "log out leave", run: "submit", href: routes.signOut },
];

/** In the header; palette.js says its key as this machine's keyboard has it. */
export function PaletteButton() {
  return (
    <button class="button go-to" type="button" data-opens="palette" aria-keyshortcuts="Control+K Meta+K">
      Go to <kbd>Ctrl K</kbd>
    </button>
  );
}

export function Palette({ isAdmin }: { isAdmin: boolean }) {
  return (
    <dialog class="palette" id="palette" aria-label="Go to anything, or do it" closedby="any">
      <div class="palette-field">
        <span class="mark" id="palette-about" hidden>
          <bdi></bdi>
        </span>
        <input
          id="palette-find"
          role="combobox"
          aria-label="Go to, or do"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-autocomplete="list"
          placeholder="An instance, a page, something to do"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          enterkeyhint="go"
          data-source={routes.switcher}
        />
      </div>
      <p class="hint" role="status"></p>
      <ul class="entries" id="palette-list" role="listbox" aria-label="What was found">
        {[...PAGES, ...(isAdmin ? ADMIN_PAGES : [])].map((entry) => (
          <EntryOption entry={entry} kind="page" />
        ))}
        {COMMANDS.map((entry) => (
          <EntryOption entry={entry} kind="" />
        ))}
      </ul>
      <p class="hint palette-keys">
        <kbd>Enter</kbd> goes there, <kbd>→</kbd> shows what can be done to an instance
      </p>
      <template id="palette-actions">
        <ActionOptions />
      </template>
    </dialog>
  );
}

function EntryOption({ entry, kind }: { entry: Entry; kind: string }) {
  const { words, also, keys, href, run, value, onBoard } = entry;
  return (
    <li
      class="entry"
      role="option"
      aria-selected="false"
      data-item={words}
      data-title={words}
      data-text={`${also ?? ""} ${kind}`}
      data-href={href}
      data-run={run}
      data-value={value}
      data-on-board={onBoard}
      data-keys={keys}
    >
      <span></span>
      <span class="entry-text">{words}</span>
      <span class="entry-end">
        {kind}{" "}
        {keys?.split(" ").map((key) => (
          <kbd>{key}</kbd>
        ))}
      </span>
    </li>
  );
}

/** What can be done to an instance: one option for each, `:id` and the name still to be filled in. */
function ActionOptions() {
  return (
    <>
      {Object.entries(INSTANCE_ACTIONS).map(([action, { words, key, pending, done, path }]) => (
        <li
          class="entry"
          role="option"
          aria-selected="false"
          data-action={action}
          data-title={words}
          data-path={path(":id")}
          data-pending={pending}
          data-done={done}
          data-question={action === "forget" ? forgetQuestion(":title") : undefined}
        >
          <span></span>
          <span class="entry-text">
            {words} <bdi class="hint"></bdi>
          </span>
          <span class="entry-end">
            <kbd>{key}</kbd>
          </span>
        </li>
      ))}
      <li
        class="entry"
        role="option"
        aria-selected="false"
        data-action="details"
        data-title="Details"
        data-path={routes.client(":id")}
      >
        <span></span>
        <span class="entry-text">
          Details of <bdi class="hint"></bdi>
        </span>
        <span class="entry-end">
          <kbd>x</kbd>
        </span>
      </li>
    </>
  );
}
