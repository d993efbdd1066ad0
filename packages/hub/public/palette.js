// The command palette: finds among pages, commands, instances and what can be done to them. The hub draws every option;
// this puts the right ones in the right order.
"use strict";
(() => {
  const { act, actions, best, wordsIn, showHelp, showTimes } = window.orchestrator;
  /** So many are shown of what a search finds. */
  const MAX_FOUND = 60;
  const MAX_RECENT = 8;
  const RECENT_KEY = "palette-recent";
  const NEEDS_YOU = ["needs_permission", "needs_answer", "failed"];
  const dialog = document.getElementById("palette");
  const field = document.getElementById("palette-find");
  const list = document.getElementById("palette-list");
  const about = document.getElementById("palette-about");
  const note = dialog.querySelector("[role=status]");
  const hasBoard = document.getElementById("board") !== null;
  const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

  const pages = [...list.children].filter((option) => hasBoard || option.dataset.onBoard === undefined);
  let instances = [];
  /** The instance whose actions alone are shown, as an option. */
  let subject = null;
  /** The card that had the focus when the palette was opened. */
  let card = null;
  let selected = null;
  /** Whether somebody has chosen an option, rather than the order. */
  let hasMoved = false;
  /** Resolves when the instances are there; null while nothing is on its way. */
  let loading = null;
  let count = 0;
  /** Why instances may be missing. */
  let trouble = "";

  // ── What there is ──
  async function load() {
    try {
      const answer = await fetch(field.dataset.source, { headers: { "hx-request": "true" } });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      instances = [...page.querySelectorAll("[role=option]")].map((option) => document.adoptNode(option));
      if (subject !== null)
        subject = instances.find(({ dataset }) => dataset.item === subject.dataset.item) ?? null;
      trouble = "";
    } catch {
      trouble = "The hub could not be asked for the instances. What is shown may be old.";
    }
    loading = null;
    if (dialog.open) render();
  }

  /** What is done to the instance of an option: an option each. */
  function actionsOf({ dataset }, names = dataset.can.split(" ")) {
    return names.map((name) => {
      const template = document.getElementById("palette-actions").content;
      const option = template.querySelector(`[data-action="${name}"]`).cloneNode(true);
      option.querySelector("bdi").textContent = dataset.title;
      option.dataset.of = dataset.item;
      option.dataset.text = dataset.title;
      return option;
    });
  }

  const everyAction = (instance) => actionsOf(instance, [...instance.dataset.can.split(" "), "details"]);
  const ofInstance = (item) => instances.find(({ dataset }) => dataset.item === item);

  // ── Finding ──
  function recent() {
    try {
      const items = JSON.parse(localStorage.getItem(RECENT_KEY));
      return Array.isArray(items) ? items.slice(0, MAX_RECENT) : [];
    } catch {
      return [];
    }
  }

  function byRecency(all) {
    const items = recent();
    const rank = ({ dataset }) => items.indexOf(dataset.item);
    const isRecent = ({ dataset }) => items.includes(dataset.item);
    return [
      ...all.filter(isRecent).sort((a, b) => rank(a) - rank(b)),
      ...all.filter((option) => !isRecent(option)),
    ];
  }

  /** In the order of reading: what needs somebody, what was used last, then all. */
  function everything() {
    const own = card === null ? undefined : ofInstance(`instance:${card.id.replace("card-", "")}`);
    const needing = instances.filter(({ dataset }) => NEEDS_YOU.includes(dataset.state));
    const others = instances.filter((option) => !needing.includes(option));
    return [...(own === undefined ? [] : everyAction(own)), ...needing, ...byRecency([...others, ...pages])];
  }

  /** Actions are looked for only where a word begins one: there are several for each instance. */
  function found(words) {
    const named = [...actions].filter(([, { title }]) =>
      wordsIn(title).some((part) => words.some((word) => part.startsWith(word))),
    );
    const doable = instances.flatMap((instance) => {
      const can = [...instance.dataset.can.split(" "), "details"];
      return actionsOf(
        instance,
        named.map(([name]) => name).filter((name) => can.includes(name)),
      );
    });
    return best([...byRecency([...instances, ...pages]), ...doable], words).slice(0, MAX_FOUND);
  }

  function options() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (subject !== null)
      return words.length === 0 ? everyAction(subject) : best(everyAction(subject), words);
    return words.length === 0 ? everything() : found(words);
  }

  // ── Showing ──
  function render() {
    const shown = options();
    const before = hasMoved ? keyOf(selected) : undefined;
    for (const option of shown) option.id ||= `entry-${++count}`;
    list.replaceChildren(...shown);
    list.setAttribute("aria-busy", String(loading !== null));
    about.hidden = subject === null;
    about.firstElementChild.textContent = subject?.dataset.title ?? "";
    // What is on its way may be what is meant.
    const nothing = loading === null ? "Nothing is called so." : "Asking the hub for the instances.";
    note.textContent = trouble || (shown.length === 0 ? nothing : "");
    showTimes();
    select(shown.find((option) => keyOf(option) === before) ?? shown[0] ?? null);
  }

  const keyOf = (option) =>
    option && `${option.dataset.of ?? ""} ${option.dataset.action ?? option.dataset.item}`;

  function select(option) {
    selected?.setAttribute("aria-selected", "false");
    selected = option;
    if (option === null) return field.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  /** Round the ends, as long as it goes by one. */
  function move(step) {
    const { children } = list;
    if (children.length === 0) return;
    hasMoved = true;
    const at = [...children].indexOf(selected) + step;
    const index = Math.abs(step) === 1 ? (at + children.length) % children.length : at;
    select(children[Math.max(0, Math.min(index, children.length - 1))]);
  }

  function showOnly(option) {
    subject = option;
    field.value = "";
    hasMoved = false;
    render();
  }

  function open() {
    if (document.querySelector("dialog[open]") !== null) return;
    card = document.activeElement?.closest(".card") ?? null;
    subject = null;
    hasMoved = false;
    field.value = "";
    dialog.showModal();
    loading = load();
    render();
    list.scrollTop = 0;
  }

  // ── Doing ──
  const RUN = {
    help: showHelp,
    theme: ({ value }) => window.orchestrator.setTheme(value),
    search: () => document.getElementById("search").focus(),
    submit: ({ href }) => document.querySelector(`form[action="${href}"]`).requestSubmit(),
    filter: ({ value }) => {
      const button = document.getElementById(value === "" ? "show-all" : `count-${value}`);
      if (button.ariaPressed !== "true") button.click();
    },
  };

  function remember({ item }) {
    if (item === undefined) return;
    const items = [item, ...recent().filter((one) => one !== item)];
    localStorage.setItem(RECENT_KEY, JSON.stringify(items.slice(0, MAX_RECENT)));
  }

  /** What Enter means while the instances are still on their way is known when they are there. */
  async function choose(option, isAside) {
    if (option === selected && !hasMoved && loading !== null) {
      await loading;
      option = selected;
    }
    if (option === null || !dialog.open) return;
    const { action, of, run, href } = option.dataset;
    remember(option.dataset);
    dialog.close();
    if (action === "details") return location.assign(actions.get(action).path.replace(":id", labelOf(of)));
    if (action !== undefined) return act(action, subjectFor(of));
    if (run !== undefined) return RUN[run](option.dataset);
    if (isAside) window.open(href, "_blank", "noopener");
    else location.assign(href);
  }

  const labelOf = (item) => item.replace("instance:", "");

  function subjectFor(item) {
    const { label, title, name, can } = ofInstance(item).dataset;
    return { label, title, name, can: can.split(" ") };
  }

  const MOVES = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

  function onFieldKey(event) {
    const { key } = event;
    const isAtEnd = field.selectionStart === field.value.length;
    if (event.isComposing) return;
    if (Object.hasOwn(MOVES, key)) move(MOVES[key]);
    else if (key === "Enter") void choose(selected, event.ctrlKey || event.metaKey);
    else if (key === "ArrowRight" && isAtEnd && selected?.dataset.label !== undefined) showOnly(selected);
    else if (key === "Backspace" && field.value === "" && subject !== null) showOnly(null);
    else return;
    event.preventDefault();
  }

  field.addEventListener("keydown", onFieldKey);
  field.addEventListener("input", () => {
    hasMoved = false;
    render();
    list.scrollTop = 0;
  });
  // The field keeps the focus.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option === null) return;
    hasMoved = true;
    select(option);
    void choose(option, event.ctrlKey || event.metaKey);
  });
  document.addEventListener("keydown", (event) => {
    const isAsked = isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    if (!isAsked || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
  for (const button of document.querySelectorAll("[data-opens=palette]")) {
    button.addEventListener("click", open);
    if (isMac) button.querySelector("kbd").textContent = "⌘ K";
  }
})();
