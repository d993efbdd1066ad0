// The mark in an instance's pages: a tab at the window's edge that says they are seen through the hub and whether that
// connection is up, and opens a frame of the hub's to go elsewhere. The page around can read and remove all of it, so it knows
// nothing but its own instance; and whatever the page has done to its globals, nothing is thrown into it.
"use strict";
(() => {
  const { src = "", dataset: { hub, label } = {} } = document.currentScript ?? {};
  const base = src.replace(/[^/]*$/, "");
  // On the hub's own origin (path mode) its pages are reached from below the instance's prefix.
  const pages = hub === location.origin ? base : hub;
  // Before a page that runs later puts something else in their place.
  const [WebSocket, fetch] = [window.WebSocket, window.fetch.bind(window)];
  const MS = { ping: 30_000, answer: 10_000, first: 500, longest: 30_000, look: 55_000 };
  const CODE = { signedOut: 1008, crowded: 1013 };
  /** The element, and where its place is kept, in the instance's own storage. */
  const [NAME, STORED] = ["orchestrator-mark", "orchestrator:mark"];
  const PLACES = ["right-low", "left-low", "left-high", "right-high"];
  const WORDS = {
    connected: () => "Connected through the hub",
    away: (since) => `The instance is away since ${since}`,
    unreachable: (since) => `The hub cannot be reached since ${since}`,
    "signed-out": () => "Signed out of the hub",
  };
  const STYLE = `
:host { all: initial !important; color-scheme: light dark !important; position: fixed !important; z-index: 2147483647 !important; inset: auto !important;
  width: 0 !important; height: 0 !important; display: block !important; --surface: light-dark(#fff, #212628); --line: light-dark(#868f93, #687478);
  --hair: light-dark(#dfe3e4, #2b3235); --text: light-dark(#161b1d, #e6eaeb); --soft: light-dark(#556066, #9aa6ab);
  --good: light-dark(#14684f, #5cc8a5); --bad: light-dark(#a34a00, #ffb057); --focus: light-dark(#1c5fc4, #9cc4ff) }
* { box-sizing: border-box; font: 13px/20px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; margin: 0 }
[hidden] { display: none !important }
button { color: inherit; background: none; border: 0; padding: 2px 8px; border-radius: 6px; cursor: pointer }
button:hover { background: var(--hair) }
:focus-visible { outline: 2px solid var(--focus); outline-offset: -2px }
.tab, .panel { position: fixed; color: var(--text); background: var(--surface); border: 1px solid var(--line) }
.tab { display: flex; align-items: center; gap: 4px; height: 40px; min-width: 24px; padding: 0 3px; max-width: calc(100vw - 16px) }
.tab span { display: none; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; padding: 0 4px }
.tab:is(:hover, :focus-visible, [data-loud]) span { display: block }
.tab:not(:hover, :focus-visible, [data-loud], [aria-expanded=true]) { opacity: .75 }
[data-place^=right] .tab { right: 0; border-right: 0; border-radius: 8px 0 0 8px }
[data-place^=left] .tab { left: 0; border-left: 0; border-radius: 0 8px 8px 0; flex-direction: row-reverse }
[data-place$=low] .tab { top: 66% } [data-place$=high] .tab { top: 20% }
i { flex: none; width: 10px; height: 10px; margin: 3px; border: 2px solid var(--bad) }
i:not([data-state=unreachable] *) { border-radius: 50% }
[data-state=connected] i { background: var(--good); border-color: var(--good) }
:is([data-state=connecting], [data-state=unknown]) i { border-color: var(--soft) }
.panel { top: 50%; translate: 0 -50%; display: flex; flex-direction: column; width: min(360px, 100vw - 16px); height: min(480px, 100dvh - 16px);
  border-radius: 8px; overflow: hidden; box-shadow: 0 8px 24px rgb(0 0 0 / .24) }
[data-place^=right] .panel { right: 8px } [data-place^=left] .panel { left: 8px }
.head { display: flex; align-items: center; gap: 2px; padding: 4px 4px 4px 12px; border-bottom: 1px solid var(--hair) }
.head p { flex: 1; min-width: 0; color: var(--soft) }
iframe { flex: 1; border: 0; width: 100%; color-scheme: light dark; background: light-dark(#f6f7f7, #101314) }
.instead { padding: 12px } .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media print { :host { display: none !important } }`;

  let [place, state, since] = [PLACES[0], "connecting", Date.now()];
  let [isLoud, isOver, attempts, lookedAt] = [false, false, 0, 0];
  let socket, retryTimer, pingTimer, answerTimer;
  let host, box, tab, words, said, panel, panelWords, frame, instead;

  // ── Looks ──
  function make(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function button(text, name, act) {
    const made = make("button", { type: "button", "aria-label": name, title: name }, text);
    made.addEventListener("click", act);
    return made;
  }

  function build() {
    host = make(NAME, { role: "region", "aria-label": "Orchestrator" });
    words = make("span");
    tab = make("button", { class: "tab", type: "button", "aria-haspopup": "dialog" }, make("i"), words);
    tab.addEventListener("click", () => (panel.hidden ? open() : close()));
    said = make("p", { class: "said", role: "status" });
    panelWords = make("p");
    const head = make("div", { class: "head" }, panelWords);
    head.append(button("Move", "Move to another edge", move), button("✕", "Close", close));
    instead = make("div", { class: "instead" });
    panel = make("div", { class: "panel", role: "dialog", "aria-label": "Orchestrator" }, head, instead);
    panel.hidden = true;
    box = make("div", {}, tab, panel, said);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = host.attachShadow({ mode: "closed" });
    root.adoptedStyleSheets = [sheet];
    root.append(box);
    // What is typed here is not meant for the page.
    for (const type of ["keydown", "keyup", "keypress"])
      host.addEventListener(type, (event) => event.stopPropagation());
  }

  function draw() {
    const time = new Date(since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const text = WORDS[state]?.(time) ?? "Seen through the hub";
    Object.assign(box.dataset, { place, state });
    words.textContent = panelWords.textContent = text;
    tab.toggleAttribute("data-loud", isLoud);
    tab.setAttribute("aria-expanded", String(!panel.hidden));
    tab.setAttribute("aria-label", `Orchestrator: ${text}. Switch instance`);
    // That all is well from the start is no news.
    if ((isLoud || said.textContent !== "") && said.textContent !== text) said.textContent = text;
  }

  /** A page may keep nothing; then the tab's place is kept until the page is left. */
  function stored(use) {
    try {
      return use(localStorage);
    } catch {
      return null;
    }
  }

  function move() {
    place = PLACES[(PLACES.indexOf(place) + 1) % PLACES.length];
    stored((kept) => kept.setItem(STORED, place));
    draw();
  }

  function is(next) {
    if (next === state) return;
    [state, since] = [next, Date.now()];
    isLoud = ["away", "unreachable", "signed-out"].includes(next);
    draw();
  }

  // ── The frame ──
  function open() {
    [panel.hidden, instead.hidden, isLoud] = [false, true, false];
    const address = new URL("switcher", pages);
    address.searchParams.set("from", label);
    address.searchParams.set("next", location.pathname + location.search);
    frame = make("iframe", { src: address.href, title: "Switch instance", referrerpolicy: "origin" });
    // A field that is given the focus brings up a phone's keyboard.
    const isTouched = matchMedia("(pointer: coarse)").matches;
    frame.addEventListener("load", () => !isTouched && frame?.focus());
    panel.append(frame);
    if (state === "unreachable") showInstead("There is no list without the hub.");
    panel.querySelector(".head > :last-child").focus();
    draw();
  }

  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    frame?.remove();
    frame = undefined;
    tab.focus();
    draw();
  }

  function showInstead(why) {
    const link = make("a", { href: new URL("dashboard", pages).href }, "Dashboard");
    instead.replaceChildren(why, " ", link);
    instead.hidden = false;
    frame.remove();
    frame = undefined;
  }

  function onPolicy({ blockedURI }) {
    if (blockedURI.startsWith(pages) && frame !== undefined) showInstead("This page lets no frame be shown.");
    // Each further attempt would be another complaint in its console.
    else if (blockedURI.endsWith("/.orchestrator/presence")) stop("unknown");
  }

  function onMessage({ source, origin, data }) {
    if (origin === hub && source === frame?.contentWindow && data === "orchestrator:close") close();
  }

  function onKey(event) {
    if (event.key !== "Escape" || panel.hidden) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    close();
  }

  // ── The connection ──
  function connect() {
    clearTimeout(retryTimer);
    if (isOver || document.hidden || socket !== undefined) return;
    try {
      socket = new WebSocket(`${base.replace(/^http/, "ws")}presence`);
    } catch {
      // A policy forbids it.
      return stop("unknown");
    }
    const opened = socket;
    expectAnswer();
    opened.addEventListener("message", ({ data }) => socket === opened && heard(data));
    opened.addEventListener("close", ({ code }) => {
      if (socket === opened) lost(code).catch(() => undefined);
    });
  }

  function heard(data) {
    clearTimeout(answerTimer);
    if (data === "orchestrator.v2.pong") return;
    [attempts, lookedAt] = [0, Date.now()];
    clearInterval(pingTimer);
    if (!document.hidden) pingTimer = setInterval(ping, MS.ping);
    if (data === "connected" || data === "away") is(data);
  }

  function ping() {
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send("orchestrator.v2.ping");
    expectAnswer();
    // The hub hears of an instance that has fallen silent only when it asks; it is made to while somebody sees the tab.
    if (state !== "connected" || Math.abs(Date.now() - lookedAt) < MS.look) return;
    lookedAt = Date.now();
    socket.send("look");
  }

  /** A connection that died without a word. */
  function expectAnswer() {
    clearTimeout(answerTimer);
    answerTimer = setTimeout(() => socket?.close(), MS.answer);
  }

  function leave() {
    still();
    socket?.close();
    socket = undefined;
  }

  function still() {
    clearTimeout(retryTimer);
    clearTimeout(answerTimer);
    clearInterval(pingTimer);
  }

  function stop(last) {
    isOver = true;
    leave();
    is(last);
  }

  async function lost(code) {
    leave();
    if (code === CODE.signedOut) return stop("signed-out");
    // A deploy's short gap is not worth a word.
    const status = ++attempts > 1 ? await ask() : 0;
    if (status === 401) return stop("signed-out");
    if (isOver || socket !== undefined) return;
    if (attempts > 1) is({ 204: "connected", 503: "away" }[status] ?? "unreachable");
    const delay = code === CODE.crowded ? MS.longest : Math.min(MS.first * 2 ** (attempts - 1), MS.longest);
    if (!document.hidden) retryTimer = setTimeout(connect, delay * (0.5 + Math.random()));
  }

  /** Why a WebSocket is refused only an ordinary request is told. */
  function ask() {
    const answer = fetch(`${base}ready`, { cache: "no-store", redirect: "manual" });
    return answer.then(({ status }) => status).catch(() => 0);
  }

  /** While nobody looks there is no timer; who comes back is told at once. */
  function resume() {
    still();
    if (document.hidden) return;
    if (socket === undefined) return connect();
    pingTimer = setInterval(ping, MS.ping);
    ping();
  }

  function start() {
    if (document.querySelector(NAME) !== null) return;
    place = PLACES.find((one) => one === stored((kept) => kept.getItem(STORED))) ?? place;
    build();
    draw();
    // Beside the body, which is the page's to replace; some replace more, and are not fought over it.
    let returns = 20;
    const stand = () => host.isConnected || returns-- <= 0 || document.documentElement.append(host);
    stand();
    new MutationObserver(stand).observe(document.documentElement, { childList: true });
    addEventListener("keydown", onKey, true);
    addEventListener("pointerdown", ({ target }) => target === host || close(), true);
    addEventListener("message", onMessage);
    addEventListener("online", resume);
    document.addEventListener("securitypolicyviolation", onPolicy);
    document.addEventListener("visibilitychange", resume);
    // A page with an open socket cannot be kept for when somebody goes back to it.
    addEventListener("pagehide", leave);
    addEventListener("pageshow", ({ persisted }) => persisted && connect());
    connect();
  }

  // In a frame the page around has one already.
  if (label === undefined || hub === undefined || window.top !== window) return;
  // The page comes first. Where it has made something unusable that is needed here, it has no mark.
  const begin = () => {
    Promise.resolve()
      .then(start)
      .catch(() => undefined);
  };
  if (document.readyState === "complete") begin();
  else addEventListener("load", begin, { once: true });
})();
