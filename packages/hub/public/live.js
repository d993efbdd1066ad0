// The dashboard's connection to the hub: pushes come in, the bar says when there is none, and no card looks alive for
// longer than its last proof of life allows.
"use strict";
(() => {
  const SECOND = 1000;
  const { board: cards, now, setClock, showTimes } = window.orchestrator;
  const page = document.getElementById("dashboard");

  // ── Proofs ──
  const MAX_AGE_MS = Number(page.dataset.proofMaxAge);
  /** The hub is asked for newer ones once the oldest is this old, while somebody looks. */
  const LOOK_AT_MS = (MAX_AGE_MS * 5) / 6,
    LOOK_EVERY_MS = MAX_AGE_MS / 6,
    /** So long after somebody comes to the page, what proves nothing is not called silent: the hub is being asked. */
    ANSWER_MS = 3 * SECOND;
  let lookedAt = 0,
    cameAt = Date.now();

  /** Of more cards than this, the hub is told which are in view; the others it asks after by and by. */
  const FEW = 50,
    MOST_NAMED = 100;
  const inView = new Set();
  /** When the hub was asked after a card by name. */
  const askedAt = new WeakMap();
  const watcher = new IntersectionObserver(see, { rootMargin: "200px" });

  const isOneOfMany = () => cards.allCards().length > FEW;
  const isDue = (card) => Date.now() >= (askedAt.get(card) ?? 0) + LOOK_EVERY_MS;

  function see(entries) {
    for (const { target, isIntersecting } of entries)
      if (isIntersecting) inView.add(target);
      else inView.delete(target);
    if (isOneOfMany()) checkProofs();
  }

  /** Asks the hub whether the instances are there; what that changes is pushed. `due`: cards it asks after before all others. */
  function look(due = []) {
    if (document.hidden || socket?.readyState !== WebSocket.OPEN) return;
    if (Date.now() < lookedAt + (due.length > 0 ? ANSWER_MS : LOOK_EVERY_MS)) return;
    lookedAt = Date.now();
    for (const card of due) askedAt.set(card, lookedAt);
    socket.send(["look", ...due.map(({ id }) => id.replace("card-", ""))].join(" "));
  }

  const ageOf = (proof) => (proof === null ? 0 : now() - Number(proof.dataset.heard));

  function showProof(card, isAsking) {
    const proof = card.querySelector("[data-heard]");
    const age = ageOf(proof);
    const isOld = age > MAX_AGE_MS;
    const mark = isOld ? (isAsking ? "asking" : "silent") : undefined;
    if (card.dataset.pageUnproven !== mark) {
      if (mark === undefined) delete card.dataset.pageUnproven;
      else card.dataset.pageUnproven = mark;
    }
    const time = proof?.querySelector("time");
    // "Alive 20 s ago", but "no sign of life for 2 min".
    if (time && (time.dataset.ago === undefined) !== (mark === "silent")) {
      if (mark === "silent") delete time.dataset.ago;
      else time.dataset.ago = "true";
      showTimes(proof);
    }
    return age;
  }

  /** What is silent has been asked after by name, and has had the time to answer. */
  function checkView() {
    const isAsking = (card) => {
      const at = askedAt.get(card);
      return at === undefined || Date.now() < at + ANSWER_MS;
    };
    const due = [...inView].filter(
      (card) => card.isConnected && showProof(card, isAsking(card)) >= LOOK_AT_MS && isDue(card),
    );
    if (due.length > 0) look(due.slice(0, MOST_NAMED));
  }

  /** Draws what is not proven any more as that, and asks while somebody looks. */
  function checkProofs() {
    if (isOneOfMany()) return checkView();
    const isAsking = !document.hidden && Date.now() < cameAt + ANSWER_MS;
    let oldest = 0;
    for (const card of cards.allCards()) oldest = Math.max(oldest, showProof(card, isAsking));
    if (oldest >= LOOK_AT_MS) look();
  }

  // ── Connection ──
  const PING_MS = 30 * SECOND,
    PONG_MS = 10 * SECOND,
    /** For a page that comes back from sleep: its connection is more likely dead than slow. */
    QUICK_PONG_MS = 2.5 * SECOND;
  /** The hub's last word to the page of a sign-in that ended. */
  const SIGNED_OUT = "signed-out";
  const bar = document.getElementById("not-connected");
  let socket = null,
    connection,
    isLeaving = false,
    /** Until the first word after each connection, which is the whole truth. */
    isFresh = true,
    isFirst = true,
    pingTimer,
    pongTimer,
    barTimer;

  function ping(patienceMs) {
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send("ping");
    clearTimeout(pongTimer);
    // A connection that died without a word would take its time to close; htmx is told that it has, and dials again.
    pongTimer = setTimeout(dialAgain, patienceMs);
  }

  function dialAgain() {
    if (connection === undefined) return;
    clearTimeout(connection.timer);
    connection.attempt = 0;
    connection.socket.dispatchEvent(new CloseEvent("close", { code: 1006 }));
  }

  /** Somebody may look again, or the network is back: is the connection still there? */
  function wake() {
    if (document.hidden) return;
    cameAt = Date.now();
    showTimes();
    look();
    checkProofs();
    if (socket?.readyState === WebSocket.OPEN) ping(QUICK_PONG_MS);
    else if (socket?.readyState === WebSocket.CLOSED) dialAgain();
  }

  function connected(opened) {
    connection = opened;
    // What the page showed at first is old by the time it connects again.
    connection.url = connection.url.replace(/&since=.*/, "");
    socket = opened.socket;
    isFresh = true;
    // The hub looks by itself when a page connects.
    lookedAt = cameAt = Date.now();
    clearTimeout(barTimer);
    barTimer = undefined;
    clearInterval(pingTimer);
    clearTimeout(pongTimer);
    pingTimer = setInterval(() => ping(PONG_MS), PING_MS);
    if (bar.hidden) return;
    bar.hidden = true;
    document.body.classList.remove("is-stale");
    cards.say("Connected again");
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
      if (connection?.socket.readyState === WebSocket.OPEN) return;
      bar.querySelector("time").textContent = new Date(since).toLocaleTimeString();
      bar.hidden = false;
      document.body.classList.add("is-stale");
      // The counts in it are from then as well; the hub's next word brings them back.
      document.title = "Not connected · Orchestrator";
      cards.say("Not connected to the hub");
    }, 700);
  }

  // ── What is open behind cards ──
  const NEWS_EVERY_MS = SECOND;
  let newsTimer;

  /** What is open behind a card that changed asks for its news, once a second at most. */
  function tellDetails({ data }) {
    const isOfOpen = ({ id }) => data.includes(`${id}"`);
    if (newsTimer !== undefined || ![...document.querySelectorAll(".card:has([open])")].some(isOfOpen))
      return;
    newsTimer = setTimeout(() => {
      newsTimer = undefined;
      for (const news of document.querySelectorAll("[open] [hx-trigger=changed]"))
        htmx.trigger(news, "changed");
    }, NEWS_EVERY_MS);
  }

  // ── A hand on its way to a card finds it where it was ──
  /** So long after the pointer moved over the board no card changes places, */
  const REACH_MS = 700,
    /** but each does after so long. */
    HELD_MS = 3 * SECOND;
  let reachedAt = 0,
    heldSince,
    heldTimer,
    /** Putting many in their places takes a while; it may take a third of the time. */
    restUntil = 0;

  const reach = () => (reachedAt = Date.now());

  function placeAll(how) {
    const begun = performance.now();
    heldSince = undefined;
    cards.update(how);
    for (const card of cards.allCards()) watcher.observe(card);
    restUntil = Date.now() + 2 * (performance.now() - begun);
  }

  function update(how) {
    clearTimeout(heldTimer);
    const held = Math.min(reachedAt + REACH_MS, (heldSince ?? Date.now()) + HELD_MS);
    const until = Math.max(held, restUntil);
    if (how.isStill || until <= Date.now()) return placeAll(how);
    heldSince ??= Date.now();
    heldTimer = setTimeout(() => {
      cards.beforeChange();
      update(how);
    }, until - Date.now());
  }

  function told({ detail }) {
    tellDetails(detail.message);
    const counts = document.getElementById("counts");
    if (counts.dataset.now !== undefined) {
      setClock(Number(counts.dataset.now));
      delete counts.dataset.now;
    }
    // The page shows the first whole truth already; what is different in it has not just happened.
    update({ isStill: isFresh, isSilent: isFirst });
    isFresh = isFirst = false;
    checkProofs();
  }

  for (const name of ["pointermove", "pointerdown"]) page.addEventListener(name, reach, { passive: true });
  page.addEventListener("htmx:ws:after:connection", (event) => connected(event.detail.connection));
  page.addEventListener("htmx:ws:close", closed);
  page.addEventListener("htmx:ws:error", lost);
  page.addEventListener("htmx:ws:before:message:incoming", (event) => {
    const { data } = event.detail.message;
    clearTimeout(pongTimer);
    if (data === SIGNED_OUT) signedOut();
    else if (data !== "pong") return;
    event.preventDefault();
  });
  page.addEventListener("htmx:ws:after:message:incoming", told);
  document.addEventListener("visibilitychange", wake);
  document.addEventListener("resume", wake);
  addEventListener("online", wake);
  addEventListener("pageshow", ({ persisted }) => {
    isLeaving = false;
    if (persisted) wake();
  });
  addEventListener("beforeunload", () => (isLeaving = true));
  setInterval(checkProofs, SECOND);
  checkProofs();
})();
