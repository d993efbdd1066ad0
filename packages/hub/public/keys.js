// Single keys: between cards, on the card that has the focus, between pages. Not while somebody types, not with a
// modifier, not under a dialog, and not where they are switched off.
"use strict";
(() => {
  const { act, subjectOf, notify, showHelp, closeDetails } = window.orchestrator;
  /** "off" where the person wants no single keys. */
  const SETTING = "keys";
  /** So long the first of two keys counts. */
  const CHORD_MS = 1500;
  const TYPED_IN = "input, textarea, select, [contenteditable]";

  // ── Cards ──
  const cards = () => [...document.querySelectorAll(".card")].filter((card) => card.checkVisibility());
  const current = () => document.activeElement?.closest(".card") ?? null;

  /** The card's first thing to do has the focus for it, so that Enter does it. */
  function focusCard(card) {
    if (card === undefined) return;
    const link = card.querySelector(".card-open") ?? card.querySelector("button, a, summary");
    link.focus({ focusVisible: true });
    card.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const all = cards();
    const index = all.indexOf(current());
    focusCard(index === -1 ? all.at(by > 0 ? 0 : -1) : all[index + by]);
  }

  const middle = (rect) => rect.left + rect.width / 2;

  /** The nearest card in a direction, as they are drawn now. */
  function beside(card, key) {
    const from = card.getBoundingClientRect();
    const boxes = cards()
      .filter((other) => other !== card)
      .map((other) => [other, other.getBoundingClientRect()]);
    const isSameRow = ([, box]) => box.top < from.bottom && box.bottom > from.top;
    const aside = ([, box]) => Math.abs(middle(box) - middle(from));
    const nearest = (all, distance) => all.sort((a, b) => distance(a) - distance(b))[0]?.[0];
    if (key === "ArrowLeft")
      return nearest(
        boxes.filter((one) => isSameRow(one) && one[1].left < from.left),
        aside,
      );
    if (key === "ArrowRight")
      return nearest(
        boxes.filter((one) => isSameRow(one) && one[1].left > from.left),
        aside,
      );
    const isBelow = key === "ArrowDown";
    const gap = ([, box]) => (isBelow ? box.top - from.bottom : from.top - box.bottom);
    const ahead = boxes.filter((one) => gap(one) >= -1);
    const rowGap = Math.min(...ahead.map(gap));
    return nearest(
      ahead.filter((one) => gap(one) < rowGap + from.height / 2),
      aside,
    );
  }

  // ── Focus that outlives a push ──
  let lastCard = null,
    lastIndex = 0;

  /** A push may take what had the focus, or its whole card; then its neighbour has it. */
  function keepFocus() {
    if (lastCard === null || (document.activeElement !== document.body && document.activeElement !== null))
      return;
    const all = cards();
    focusCard(all.find(({ id }) => id === lastCard) ?? all[Math.min(lastIndex, all.length - 1)]);
  }

  document.addEventListener("focusin", ({ target }) => {
    const card = target.closest(".card");
    lastCard = card?.id ?? null;
    if (card !== null) lastIndex = cards().indexOf(card);
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (target.closest(".card") === null) lastCard = null;
  });
  document.addEventListener("orchestrator:counts", keepFocus);
  document.addEventListener("htmx:after:swap", keepFocus);

  // ── Keys ──
  function actOn(card, name) {
    const subject = subjectOf(card);
    // The key undoes what it did.
    const action = name === "disconnect" && subject.can.includes("let_back") ? "let_back" : name;
    if (action === "mark_seen" && !subject.can.includes(action))
      return notify("has nothing new to mark as seen.", { title: subject.title });
    return act(action, subject);
  }

  const ON_CARD = {
    o: (card) => window.open(card.querySelector(".card-open")?.href, "_blank", "noopener"),
    x: (card) => card.querySelector("summary")?.click(),
    r: (card) => actOn(card, "refresh"),
    e: (card) => actOn(card, "rename"),
    s: (card) => actOn(card, "mark_seen"),
    d: (card) => actOn(card, "disconnect"),
    f: (card) => actOn(card, "forget"),
  };

  const ANYWHERE = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => document.getElementById("search")?.focus(),
    "?": showHelp,
  };

  /** After g: the palette's pages know their keys. */
  const PAGES = new Map(
    [...document.querySelectorAll("#palette-list [data-keys]")].map(({ dataset }) => [
      dataset.keys,
      dataset.href,
    ]),
  );

  let chordUntil = 0;

  function onSingleKey(event) {
    const { key } = event;
    const isSecond = Date.now() < chordUntil;
    chordUntil = 0;
    const page = isSecond ? PAGES.get(`g ${key}`) : undefined;
    const card = current();
    if (page !== undefined) location.assign(page);
    else if (key === "g") chordUntil = Date.now() + CHORD_MS;
    else if (card !== null && key.startsWith("Arrow") && !event.target.closest(".card-details"))
      focusCard(beside(card, key));
    else if (card !== null && Object.hasOwn(ON_CARD, key) && !event.repeat) void ON_CARD[key](card);
    else if (Object.hasOwn(ANYWHERE, key)) ANYWHERE[key]();
    else return;
    event.preventDefault();
  }

  function leave() {
    const card = document.querySelector(".card-more[open]")?.closest(".card");
    closeDetails();
    if (card?.contains(document.activeElement)) focusCard(card);
  }

  /** Escape empties the field, as browsers have it, and then leaves it. */
  function onSearchKey(event) {
    if (event.key === "Escape" && event.target.value === "") event.target.blur();
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    focusCard(cards()[0]);
    event.preventDefault();
  }

  function onKey(event) {
    const isWithModifier = event.ctrlKey || event.metaKey || event.altKey;
    if (event.defaultPrevented || event.isComposing || isWithModifier) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (event.key === "Escape") return leave();
    if (event.target.closest(TYPED_IN) || localStorage.getItem(SETTING) === "off") return;
    onSingleKey(event);
  }

  const setting = document.getElementById("single-keys");
  setting.checked = localStorage.getItem(SETTING) !== "off";
  setting.addEventListener("change", () => localStorage.setItem(SETTING, setting.checked ? "on" : "off"));
  document.addEventListener("keydown", onKey);
  document.getElementById("search")?.addEventListener("keydown", onSearchKey);
})();
