// What the hub's pages do beside htmx: times that stay true, cards that find their place, copying, keys, and the bar
// that says when the page is not connected.
"use strict";
(() => {
  const SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR;
  const board = document.getElementById("board");
  // Times are the hub's; a browser's clock may be wrong.
  const clockSkew = Number(document.body.dataset.now ?? Date.now()) - Date.now();
  const now = () => Date.now() + clockSkew;

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

  function showTimes() {
    for (const time of document.querySelectorAll("time[data-since], time[data-until]")) {
      const isAhead = time.dataset.until !== undefined;
      const at = Number(isAhead ? time.dataset.until : time.dataset.since);
      const words = time.dataset.ago === undefined ? duration : ago;
      const text = isAhead ? until(at - now()) : words(now() - at);
      if (time.textContent !== text) time.textContent = text;
      const exact = new Date(at).toLocaleString();
      if (time.title !== exact) time.title = exact;
    }
  }

  // ── Cards ──
  /** A lane's cards in order, wherever they are now. Keys compare by code unit, as in the hub. */
  function cardsOf(lane, cards) {
    const own = cards.filter((card) => `lane-${card.dataset.lane}` === lane.id);
    return own.sort((a, b) => (a.dataset.order < b.dataset.order ? -1 : 1));
  }

  function arrange([lane, cards]) {
    let next = lane.firstElementChild;
    for (const card of cards) {
      if (card === next) next = next.nextElementSibling;
      // moveBefore keeps focus and open details where the browser knows it.
      else if (lane.moveBefore) lane.moveBefore(card, next);
      else lane.insertBefore(card, next);
    }
  }

  /** Puts every card in its lane and place, and shows it as a move. */
  function placeCards() {
    const cards = [...board.querySelectorAll(".card")];
    const lanes = [...board.querySelectorAll(".cards")]
      .map((lane) => [lane, cardsOf(lane, cards)])
      .filter(([lane, own]) => own.some((card, index) => lane.children[index] !== card));
    if (lanes.length === 0) return;
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (isStill || document.hidden || !document.startViewTransition) return lanes.forEach(arrange);
    const transition = document.startViewTransition(() => lanes.forEach(arrange));
    // The next burst may cut it short; the moves are made all the same.
    transition.finished.catch(() => undefined);
    transition.ready.catch(() => undefined);
  }

  function showTitle() {
    const title = document.getElementById("counts")?.dataset.title;
    if (title !== undefined && document.title !== title) document.title = title;
  }

  // ── Connection ──
  const PING_MS = 30 * SECOND,
    PONG_MS = 10 * SECOND;
  /** The hub's last word to the page of a sign-in that ended. */
  const SIGNED_OUT = "signed-out";
  const bar = document.getElementById("not-connected");
  let socket = null,
    isLeaving = false,
    pingTimer,
    pongTimer,
    barTimer;

  function ping() {
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send("ping");
    clearTimeout(pongTimer);
    // A connection that died without a word is closed here; htmx then dials again.
    pongTimer = setTimeout(() => {
      socket.close();
      lost();
    }, PONG_MS);
  }

  function connected(opened) {
    socket = opened;
    clearTimeout(barTimer);
    barTimer = undefined;
    clearInterval(pingTimer);
    clearTimeout(pongTimer);
    pingTimer = setInterval(ping, PING_MS);
    bar.hidden = true;
    document.body.classList.remove("is-stale");
  }

  /** A refused WebSocket does not say why; an ordinary request does. */
  async function leaveIfSignedOut() {
    try {
      const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
      if (answer.status === 401) location.reload();
    } catch {
      // The hub is away: the bar says so already.
    }
  }

  /** Not the page whose own sign-out is on its way: reloading would cut that off. */
  function signedOut() {
    if (!isLeaving) location.reload();
  }

  function closed() {
    if (!bar.hidden) void leaveIfSignedOut();
    lost();
  }

  function lost() {
    clearInterval(pingTimer);
    clearTimeout(pongTimer);
    if (barTimer !== undefined || !bar.hidden) return;
    const since = Date.now();
    // A deploy's short gap is not worth a flicker.
    barTimer = setTimeout(() => {
      barTimer = undefined;
      if (socket?.readyState === WebSocket.OPEN) return;
      bar.querySelector("time").textContent = new Date(since).toLocaleTimeString();
      bar.hidden = false;
      document.body.classList.add("is-stale");
      // The counts in it are from then as well; the hub's next word brings them back.
      document.title = "Not connected · Orchestrator";
    }, 700);
  }

  function live() {
    const page = document.getElementById("dashboard");
    page.addEventListener("htmx:ws:after:connection", (event) => connected(event.detail.connection.socket));
    page.addEventListener("htmx:ws:close", closed);
    page.addEventListener("htmx:ws:error", lost);
    page.addEventListener("htmx:ws:before:message:incoming", (event) => {
      const { data } = event.detail.message;
      if (data === SIGNED_OUT) signedOut();
      else if (data === "pong") clearTimeout(pongTimer);
      else return;
      event.preventDefault();
    });
    page.addEventListener("htmx:ws:after:message:incoming", () => {
      placeCards();
      showTimes();
      showTitle();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden || socket?.readyState !== WebSocket.OPEN) return;
      ping();
      socket.send("look");
    });
    addEventListener("online", ping);
    addEventListener("beforeunload", () => (isLeaving = true));
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

  /** A command that someone just asked for is copied without asking again. */
  function afterSwap() {
    showTimes();
    const button = document.querySelector("#new-token [data-copy]:not([data-copied])");
    if (button === null) return;
    button.dataset.copied = "";
    void copy(button);
  }

  // ── Keys: j and k move between cards, x shows more, Enter opens (the link has the focus) ──
  function moveFocus(step) {
    const links = [...document.querySelectorAll(".card-open")];
    const card = document.activeElement?.closest(".card");
    const index = links.findIndex((link) => link.closest(".card") === card);
    const next = links[index === -1 ? (step > 0 ? 0 : links.length - 1) : index + step];
    next?.focus();
    next?.closest(".card").scrollIntoView({ block: "nearest" });
  }

  /** Closes what is open behind cards, but not around `except`. */
  function closeDetails(except) {
    for (const open of document.querySelectorAll(".card-more[open]")) {
      if (!open.contains(except ?? null)) open.removeAttribute("open");
    }
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select"))
      return;
    if (event.key === "j") moveFocus(1);
    else if (event.key === "k") moveFocus(-1);
    else if (event.key === "x") event.target.closest(".card")?.querySelector("summary")?.click();
    else if (event.key === "Escape") closeDetails();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button !== null) void copy(button);
    closeDetails(event.target);
  });
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question !== undefined && !confirm(question)) event.preventDefault();
  });
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.matches(".card-more[open]")) htmx.trigger(event.target, "expand");
    },
    true,
  );
  document.addEventListener("keydown", onKey);
  document.addEventListener("htmx:after:swap", afterSwap);
  setInterval(showTimes, 5 * SECOND);
  showTimes();
  if (board !== null) live();
})();
