// What every page of the hub does beside htmx: times that stay true, copying, details that close. Other scripts find its
// helpers on `window.orchestrator`.
"use strict";
(() => {
  const SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR;
  // Times are the hub's; a browser's clock may be wrong.
  let clockSkew;
  const now = () => Date.now() + clockSkew;
  const setClock = (hubNow) => (clockSkew = hubNow - Date.now());
  setClock(Number(document.body.dataset.now ?? Date.now()));

  // ── Times ──
  function duration(ms) {
    if (ms < 10 * SECOND) return "now";
    if (ms < MINUTE) return `${Math.floor(ms / (10 * SECOND)) * 10} s`;
    if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
    if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
    return `${Math.floor(ms / DAY)} d`;
  }

  function until(ms) {
    const unit = [DAY, HOUR, MINUTE].find((one) => ms >= one) ?? 10 * SECOND;
    return `in ${duration(Math.max(1, Math.round(ms / unit)) * unit)}`;
  }

  function ago(ms) {
    const words = duration(ms);
    return words === "now" ? words : `${words} ago`;
  }

  function showTimes(within = document) {
    for (const time of within.querySelectorAll("time[data-since], time[data-until]")) {
      const isAhead = time.dataset.until !== undefined;
      const at = Number(isAhead ? time.dataset.until : time.dataset.since);
      const words = time.dataset.ago === undefined ? duration : ago;
      const text = isAhead ? until(at - now()) : words(now() - at);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  /** Where it is needed: until then the hub's own words stand there, which pushes would bring back each time. */
  function showExactTime(event) {
    const time = event.target.closest("time[datetime]");
    if (time !== null) time.title = new Date(time.dateTime).toLocaleString();
  }

  // ── Copying ──
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      done = "Selected";
    }
    button.textContent = done;
    setTimeout(() => (button.textContent = "Copy"), 3 * SECOND);
  }

  /** A card at the end of the page opens past it. */
  const showWhole = (more) => more.lastElementChild.scrollIntoView({ block: "nearest" });

  /** A command that someone just asked for is copied without asking again. */
  function afterSwap({ target }) {
    if (target instanceof Element && target.matches(".card-more[open]")) showWhole(target);
    const button = document.querySelector("#new-token [data-copy]:not([data-copied])");
    if (button === null) return;
    button.dataset.copied = "";
    void copy(button);
  }

  /** Closes what is open behind cards, but not around `except`. */
  function closeDetails(except) {
    for (const open of document.querySelectorAll(".card-more[open]")) {
      if (!open.contains(except ?? null)) open.removeAttribute("open");
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button !== null) void copy(button);
    closeDetails(event.target);
  });
  document.addEventListener(
    "toggle",
    (event) => {
      if (!event.target.matches(".card-more[open]")) return;
      htmx.trigger(event.target, "expand");
      showWhole(event.target);
    },
    true,
  );
  /** For pages that put things under the days on which they happened. */
  function keepTimeZone() {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const cookie = `__Host-orchestrator-time-zone=${timeZone}`;
    if (!document.cookie.split("; ").includes(cookie))
      document.cookie = `${cookie}; Path=/; Max-Age=31536000; Secure; SameSite=Lax`;
  }

  keepTimeZone();
  document.addEventListener("htmx:after:swap", afterSwap);
  document.addEventListener("pointerover", showExactTime);
  setInterval(() => showTimes(), 5 * SECOND);
  showTimes();
  /** `now` and `setClock`: the hub's clock, milliseconds since the epoch. `duration`: milliseconds as words. */
  Object.assign(window.orchestrator, { now, setClock, duration, showTimes, closeDetails });
})();
