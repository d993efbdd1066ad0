// The dashboard's cards: each in its group and place, kept back by filter and search or shown, and said aloud when it
// needs someone. Attributes that begin with `data-page-` are the page's own; pushes leave them alone.
"use strict";
(() => {
  const page = document.getElementById("dashboard");
  const board = document.getElementById("board");
  const arrivals = document.getElementById("arrivals");
  const template = document.getElementById("group-template");
  const key = { status: "lane", machine: "machine", project: "project" }[page.dataset.grouping];

  // ── Places ──
  const allCards = () => [...board.getElementsByClassName("card")];
  const placeOf = ({ dataset }) => `${dataset[key]} ${dataset.order}`;
  /** Where each card has been put. */
  const places = new WeakMap(allCards().map((card) => [card, placeOf(card)]));
  const isPlacedAnew = (card) => places.has(card) && places.get(card) !== placeOf(card);
  const byOrder = (a, b) => (a.dataset.order < b.dataset.order ? -1 : 1);

  /** Cards by group, each group in order. Keys compare by code unit, as in the hub. */
  function wanted() {
    const groups = Map.groupBy([...allCards(), ...arrivals.children], (card) => card.dataset[key]);
    for (const cards of groups.values()) cards.sort(byOrder);
    return groups;
  }

  function sectionOrder(section) {
    const isNeeded = section.querySelector('[data-lane="needs-you"]') !== null;
    const name = section.dataset.group;
    return `${isNeeded ? 0 : 1} ${name.toLowerCase()} ${name}`;
  }

  /** The sections as they are to stand; lanes stand as they are. */
  function sectionsInOrder() {
    const sections = [...board.children];
    if (key === "lane") return sections;
    return sections.sort((a, b) => (sectionOrder(a) < sectionOrder(b) ? -1 : 1));
  }

  function isInPlace() {
    if (arrivals.firstElementChild !== null) return false;
    const groups = wanted();
    for (const section of board.children) {
      const cards = groups.get(section.dataset.group) ?? [];
      if (cards.length === 0 && key !== "lane") return false;
      const list = section.lastElementChild;
      if (list.children.length !== cards.length || cards.some((card, at) => list.children[at] !== card))
        return false;
      groups.delete(section.dataset.group);
    }
    return groups.size === 0 && sectionsInOrder().every((section, at) => board.children[at] === section);
  }

  /** Puts elements in this order; moveBefore keeps focus and open details where the browser knows it. */
  function putInOrder(parent, elements) {
    let next = parent.firstElementChild;
    for (const element of elements) {
      if (element === next) next = next.nextElementSibling;
      else if (parent.moveBefore && element.isConnected) parent.moveBefore(element, next);
      else parent.insertBefore(element, next);
    }
  }

  function newSection(group) {
    const section = template.content.firstElementChild.cloneNode(true);
    section.dataset.group = group;
    section.querySelector("bdi").textContent = group.trim() || template.dataset.nameless;
    board.append(section);
    return section;
  }

  function arrange() {
    // One that is there already has come twice; what came last is right.
    for (const card of arrivals.children) board.querySelector(`#${card.id}`)?.remove();
    const sections = new Map([...board.children].map((section) => [section.dataset.group, section]));
    for (const [group, cards] of wanted())
      putInOrder((sections.get(group) ?? newSection(group)).lastElementChild, cards);
    if (key !== "lane")
      for (const list of board.querySelectorAll(".cards:empty")) list.parentElement.remove();
    putInOrder(board, sectionsInOrder());
    showFilter();
  }

  /** Puts every card in its group and place; those whose place is another are shown moving there, unless `isStill`. */
  function place(isStill) {
    const moved = allCards().filter(isPlacedAnew);
    if (moved.length > 0) movedAt = performance.now();
    if (!isStill && drawnAt !== undefined) moved.forEach((card) => moving.add(card));
    if (isInPlace()) showFilter();
    else arrange();
    for (const card of allCards()) places.set(card, placeOf(card));
  }

  // ── Moves, of each card alone: a view transition takes pictures of all, which takes longer than the move. Where cards are is
  // asked only while the page is laid out. ──
  const MOVE_MS = 150;
  /** Moves closer together than this are not shown: drawing them would hold up the next. */
  const STORM_MS = 250;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
  const moving = new Set();
  /** Where each card was when the page was last drawn; from the first message after that until it is drawn again. */
  let [drawnAt, movedAt] = [undefined, -STORM_MS];

  function beforeChange() {
    const isStorm = performance.now() < movedAt + STORM_MS;
    if (isStorm || drawnAt !== undefined || document.hidden || isCalm.matches) return;
    drawnAt = new Map(allCards().map((card) => [card, card.getBoundingClientRect()]));
    requestAnimationFrame(showMoves);
  }

  function showMoves() {
    const [from, cards] = [drawnAt, [...moving].filter((card) => card.isConnected && drawnAt.has(card))];
    drawnAt = undefined;
    moving.clear();
    for (const card of cards) for (const move of card.getAnimations()) move.cancel();
    const to = cards.map((card) => card.getBoundingClientRect());
    for (const [at, card] of cards.entries()) showMove(card, from.get(card), to[at]);
  }

  function showMove(card, from, to) {
    const isShown = [from, to].every(({ width }) => width > 0);
    const isInView = [from, to].some(({ top, bottom }) => bottom > 0 && top < innerHeight);
    if (!isShown || !isInView) return;
    const start = `translate(${from.x - to.x}px, ${from.y - to.y}px)`;
    card.animate({ transform: [start, "none"] }, { duration: MOVE_MS, easing: "ease-out" });
  }

  page.addEventListener("htmx:ws:before:message:incoming", beforeChange);

  // ── Filter and search: remembered, and never a reason not to see that something needs the person ──
  const search = document.getElementById("search");
  const note = document.getElementById("filter-note");
  const filter = new Set((localStorage.getItem("board.filter") ?? "").split(" ").filter(Boolean));
  search.value = localStorage.getItem("board.search") ?? "";
  search.hidden = false;

  const PARTS = ".card-title, .card-where, .card-status, .card-lines";
  const wordsOf = (part) => part.textContent.toLowerCase();
  const isNeeding = (card) => card.dataset.lane === "needs-you";

  function isOf(name, card) {
    if (name === "needsYou") return isNeeding(card);
    return name === "done" ? card.dataset.lane === "done" : card.dataset.status === name;
  }

  /** What each card says, until the next push. */
  const said = new Map();
  function textOf(card) {
    if (!said.has(card)) said.set(card, Array.from(card.querySelectorAll(PARTS), wordsOf).join(" "));
    return said.get(card);
  }

  function isWanted(card, words) {
    if (filter.size > 0 && ![...filter].some((name) => isOf(name, card))) return false;
    if (words.length === 0) return true;
    const text = textOf(card);
    return words.every((word) => text.includes(word));
  }

  function showNote(cards, shown) {
    const isFiltered = filter.size > 0 || search.value.trim() !== "";
    note.hidden = !isFiltered || cards.length === 0;
    if (note.hidden) return;
    const needing = cards.filter((card) => isNeeding(card) && card.hasAttribute("data-page-hidden")).length;
    const what = shown === 0 ? "Nothing matches." : `Showing ${shown} of ${cards.length}.`;
    const more = `${needing} ${shown === 0 ? "" : "more "}${needing === 1 ? "needs" : "need"} you outside this filter.`;
    const text = needing === 0 ? what : `${what} ${more}`;
    const words = note.firstElementChild;
    if (words.textContent !== text) words.textContent = text;
    note.classList.toggle("is-needed", needing > 0);
  }

  /** Shows what the filter lets through, and how much that is. */
  function showFilter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const cards = allCards();
    let shown = 0;
    for (const section of board.children) {
      let own = 0;
      for (const card of section.lastElementChild.children) {
        const is = isWanted(card, words);
        card.toggleAttribute("data-page-hidden", !is);
        if (is) own++;
      }
      const count = section.querySelector(".lane-count");
      if (count.textContent !== String(own)) count.textContent = own;
      shown += own;
    }
    showNote(cards, shown);
  }

  function showChips() {
    for (const chip of document.querySelectorAll("#counts [data-filter]")) {
      const isPressed = String(filter.has(chip.dataset.filter));
      if (chip.getAttribute("aria-pressed") !== isPressed) chip.setAttribute("aria-pressed", isPressed);
    }
  }

  function changeFilter() {
    localStorage.setItem("board.filter", [...filter].join(" "));
    localStorage.setItem("board.search", search.value);
    showChips();
    showFilter();
  }

  page.addEventListener("click", (event) => {
    const name = event.target.closest("[data-filter]")?.dataset.filter;
    const isAll = event.target.id === "show-all";
    if (name === undefined && !isAll) return;
    if (isAll) {
      filter.clear();
      search.value = "";
      search.focus({ preventScroll: true });
    } else if (!filter.delete(name)) filter.add(name);
    changeFilter();
  });
  search.addEventListener("input", changeFilter);

  // ── Said aloud: what needs someone, a sentence every two seconds at most ──
  const [SAY_EVERY_MS, SAY_AFTER_MS, MAX_NAMED] = [2000, 250, 3];
  const PHRASES = {
    needs_permission: ["needs permission", "need permission"],
    needs_answer: ["needs an answer", "need an answer"],
    failed: ["failed", "failed"],
    done: ["finished", "finished"],
    unreachable: ["is unreachable", "are unreachable"],
  };
  const announcements = document.getElementById("announcements");
  let states = new Map();
  /** What is to be said of instances, by their card's id, and of the page itself. */
  const toSay = new Map();
  let [sayTimer, saidAt] = [undefined, 0];

  function speakSoon() {
    sayTimer ??= setTimeout(speak, Math.max(SAY_AFTER_MS, saidAt + SAY_EVERY_MS - Date.now()));
  }

  function sentence(changes) {
    if (changes.length <= MAX_NAMED)
      return changes.map(({ name, state }) => `${name} ${PHRASES[state][0]}`).join(", ");
    const groups = Map.groupBy(changes, ({ state }) => state);
    const some = Object.keys(PHRASES).filter((state) => groups.has(state));
    const count = (state) => groups.get(state).length;
    return some.map((state) => `${count(state)} ${PHRASES[state][count(state) === 1 ? 0 : 1]}`).join(", ");
  }

  function speak() {
    sayTimer = undefined;
    const news = [...toSay.values()];
    toSay.clear();
    if (news.length === 0) return;
    saidAt = Date.now();
    const changes = news.filter((one) => typeof one !== "string");
    const texts = news.filter((one) => typeof one === "string");
    announcements.textContent = [...texts, sentence(changes)].filter(Boolean).join(". ");
    // What was said long ago is not for reading; and said again, it must be new.
    setTimeout(() => (announcements.textContent = ""), SAY_EVERY_MS - SAY_AFTER_MS);
  }

  function nameOf(card) {
    const [title, host] = [".card-title", ".card-host"].map((part) => card.querySelector(part).textContent);
    return host === "" || host === title ? title : `${title} on ${host}`;
  }

  /** Remembers every card's state; what people care about is said, unless `isStill`. */
  function hear(isStill) {
    const before = states;
    states = new Map(allCards().map((card) => [card.id, card.dataset.state]));
    if (isStill) return;
    for (const [id, state] of states) {
      if (before.get(id) === state) continue;
      if (!(state in PHRASES)) toSay.delete(id);
      else toSay.set(id, { name: nameOf(document.getElementById(id)), state });
    }
    if (toSay.size > 0) speakSoon();
  }

  /** Says something of the page itself. */
  const say = (text) => (toSay.set("page", text), speakSoon());

  // ── Counts ──
  function showCounts() {
    const counts = document.getElementById("counts");
    if (document.title !== counts.dataset.title) document.title = counts.dataset.title;
    showChips();
    document.dispatchEvent(new CustomEvent("orchestrator:counts"));
  }

  /** After a push. `isStill`: nothing is shown as a move; `isSilent`: nothing is said. */
  function update({ isStill, isSilent }) {
    said.clear();
    place(isStill);
    showCounts();
    hear(isSilent);
  }

  hear(true);
  showFilter();
  showCounts();
  Object.assign(window.orchestrator, { board: { update, say, allCards, beforeChange } });
})();
