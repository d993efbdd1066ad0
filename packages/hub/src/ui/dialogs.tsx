/**
 * What scripts show over a page of somebody who is signed in: questions, a new name, the keys, the palette, short notices.
 * Drawn here and filled with text alone by dialogs.js and palette.js.
 */
import type { Session } from "../auth/session.ts";
import { MAX_NAME_LENGTH } from "../instance.ts";
import { Palette } from "./palette.tsx";

export function Dialogs({ session }: { session: Pick<Session, "role"> }) {
  return (
    <>
      <ConfirmDialog />
      <RenameDialog />
      <HelpDialog />
      <Palette isAdmin={session.role === "admin"} />
      <Notices />
    </>
  );
}

function ConfirmDialog() {
  return (
    <dialog id="confirm" role="alertdialog" aria-labelledby="confirm-question">
      <form method="dialog">
        <p id="confirm-question"></p>
        <div class="dialog-end">
          <button class="button" value="" autofocus>
            Cancel
          </button>
          <button class="button danger" value="yes"></button>
        </div>
      </form>
    </dialog>
  );
}

function RenameDialog() {
  return (
    <dialog id="rename" aria-labelledby="rename-title">
      <form method="dialog">
        <h2 id="rename-title">
          Rename <bdi></bdi>
        </h2>
        <input
          name="name"
          aria-label="Name"
          aria-describedby="rename-hint"
          maxlength={MAX_NAME_LENGTH}
          autocomplete="off"
          spellcheck={false}
        />
        <p class="hint" id="rename-hint">
          Without a name it is called after its project.
        </p>
        <div class="dialog-end">
          {/* Enter presses the form's first button that sends it. */}
          <button class="button" type="button" data-closes="">
            Cancel
          </button>
          <button class="button primary" value="yes">
            Rename
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** What each key does; keys.js does it. */
const KEYS: Record<string, [keys: string, does: string][]> = {
  Anywhere: [
    ["Ctrl K", "go to anything, or do it"],
    ["?", "this list"],
    ["g i", "instances"],
    ["g a", "activity"],
    ["g t", "tokens"],
    ["g s", "sign-ins"],
    ["g ,", "settings"],
  ],
  "On the dashboard": [
    ["j k", "next and previous card"],
    ["← ↑ → ↓", "the card beside it"],
    ["/", "search"],
    ["Escape", "close what is open"],
  ],
  "On a card": [
    ["Enter", "open"],
    ["o", "open in a new tab"],
    ["x", "details"],
    ["r", "refresh"],
    ["s", "mark as seen"],
    ["e", "rename"],
    ["d", "disconnect, or let it back"],
    ["f", "forget"],
  ],
};

function HelpDialog() {
  return (
    <dialog id="help" aria-labelledby="help-title" closedby="any">
      <form method="dialog">
        <h2 id="help-title">Keys</h2>
        <div class="keys">
          {Object.entries(KEYS).map(([where, keys]) => (
            <section>
              <h3 class="hint">{where}</h3>
              <dl class="facts">
                {keys.map(([key, does]) => (
                  <>
                    <dt>
                      {key.split(" ").map((one) => (
                        <kbd>{one}</kbd>
                      ))}
                    </dt>
                    <dd>{does}</dd>
                  </>
                ))}
              </dl>
            </section>
          ))}
        </div>
        <label>
          <input type="checkbox" id="single-keys" /> Single keys work. With Ctrl they always do.
        </label>
        <div class="dialog-end">
          <button class="button" autofocus>
            Close
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Two regions, because what went wrong may interrupt and what went well may not. */
function Notices() {
  return (
    <>
      <div class="notices">
        <div id="notices" role="status"></div>
        <div id="alerts" role="alert"></div>
      </div>
      <template id="toast-template">
        <p class="toast">
          <span>
            <bdi></bdi> <span></span>
          </span>
          <button class="button" type="button" hidden></button>
          <button class="plain" type="button" aria-label="Close">
            ×
          </button>
        </p>
      </template>
    </>
  );
}
