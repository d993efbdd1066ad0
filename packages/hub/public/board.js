// The dashboard: cards that find their place, and the live connection with the bar that says when there is none.
"use strict";
(() => {
  const SECOND = 1000;
  const { showTimes } = window.orchestrator;
  const board = document.getElementById("board");

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

  live();
})();
