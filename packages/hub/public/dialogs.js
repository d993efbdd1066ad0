// Questions before what cannot be undone, short notices, and what is done to an instance: its card says at once what is on
// its way, and is corrected where the hub refuses. Everything is filled in as text.
"use strict";
(() => {
  const SECOND = 1000;
  /** A card says what is on its way for so long, unless the hub answers sooner. */
  const PENDING_MS = 5 * SECOND;
  /** What changes nothing on a card is said for so long after the answer. */
  const SETTLED_MS = 600;
  const UNDO_MS = 10 * SECOND;
  const NOTICE_MS = 6 * SECOND;
  const MAX_NOTICES = 3;
  /** Characters of an instance's name in a sentence. */
  const MAX_NAMED = 60;
  const byId = (id) => document.getElementById(id);

  /** A name that leaves room for what is said of it. */
  const short = (name) => (name.length > MAX_NAMED ? `${[...name].slice(0, MAX_NAMED - 1).join("")}…` : name);

  // ── Dialogs ──
  /** Answers by dialog: one that is closed says so a moment later, and shown again before that it would hear the end of the last. */
  const answers = new WeakMap();

  /** Shows a dialog; resolves with the value of the button that closed it, "" where none did. */
  async function show(dialog) {
    if (answers.has(dialog)) await answers.get(dialog);
    if (dialog.open) return "";
    dialog.returnValue = "";
    dialog.showModal();
    const answer = new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    });
    answers.set(dialog, answer);
    const value = await answer;
    answers.delete(dialog);
    return value;
  }

  /** Whether the person agrees. `word` is what the button says. */
  async function ask(question, word) {
    const dialog = byId("confirm");
    if (dialog.open) return false;
    byId("confirm-question").textContent = question;
    dialog.querySelector("[value=yes]").textContent = word;
    return (await show(dialog)) === "yes";
  }

  /** The new name of an instance, or undefined where it is to keep its own. */
  async function askName({ title, name }) {
    const dialog = byId("rename");
    if (dialog.open) return undefined;
    const field = dialog.querySelector("input");
    dialog.querySelector("bdi").textContent = short(title);
    field.value = name ?? "";
    const closed = show(dialog);
    field.select();
    return (await closed) === "yes" ? field.value.trim() : undefined;
  }

  function showHelp() {
    if (document.querySelector("dialog[open]") === null) byId("help").showModal();
  }

  // ── Notices ──
  /**
   * Says something at the edge of the page. `title`: of the instance it is about. `isError`: stays until it is closed.
   * `undo`: `{word, run}` of a button.
   */
  function notify(text, { title = "", isError = false, undo } = {}) {
    const region = byId(isError ? "alerts" : "notices");
    const isSame = (one) => one.textContent === toast.textContent;
    const toast = byId("toast-template").content.firstElementChild.cloneNode(true);
    const [undoButton, closeButton] = toast.querySelectorAll("button");
    toast.querySelector("bdi").textContent = short(title);
    toast.querySelector("bdi + span").textContent = text;
    closeButton.addEventListener("click", () => toast.remove());
    if (undo !== undefined) {
      undoButton.textContent = undo.word;
      undoButton.hidden = false;
      undoButton.addEventListener("click", () => {
        toast.remove();
        undo.run();
      });
    }
    for (const old of [...region.children].filter(isSame)) old.remove();
    region.append(toast);
    while (region.children.length > MAX_NOTICES) region.firstElementChild.remove();
    if (!isError) setTimeout(() => toast.remove(), undo === undefined ? NOTICE_MS : UNDO_MS);
  }

  const UNREACHED = "The hub could not be reached, so nothing was changed. Try again when it is back.";

  /** What a refusal says, in the words of its JSON body. */
  function refusalText(body) {
    try {
      return JSON.parse(body).error.message;
    } catch {
      return "The hub refused it and did not say why. Reload the page and try again.";
    }
  }

  // ── What is done to an instance ──
  /** By its name: the option of the palette that stands for it, which has its words and address. */
  const actions = new Map(
    [...byId("palette-actions").content.children].map((option) => [option.dataset.action, option.dataset]),
  );
  const cardOf = (label) => byId(`card-${label}`);
  const pendingTimers = new WeakMap();

  function setPending(label, words) {
    const card = cardOf(label);
    if (card === null) return;
    card.dataset.pending = words;
    clearPendingAfter(label, PENDING_MS);
  }

  function clearPendingAfter(label, ms) {
    const card = cardOf(label);
    if (card === null) return;
    clearTimeout(pendingTimers.get(card));
    if (ms === 0) delete card.dataset.pending;
    else
      pendingTimers.set(
        card,
        setTimeout(() => delete card.dataset.pending, ms),
      );
  }

  /** What a card says of its instance. */
  function subjectOf(card) {
    const { name, can = "" } = card.dataset;
    const title = card.querySelector(".card-title bdi").textContent;
    return { label: card.id.replace("card-", ""), title, name, can: can.split(" ") };
  }

  /** Asks what has to be asked first; the fields to send, or undefined where nothing is to be done. */
  async function fieldsFor(action, subject) {
    if (action === "rename") {
      const name = await askName(subject);
      return name === undefined ? undefined : { name };
    }
    const { question, title } = actions.get(action);
    // What the hub will refuse is not worth a question.
    if (question === undefined || !subject.can.includes(action)) return {};
    const asked = question.replace(":title", () => short(subject.title));
    return (await ask(asked, title)) ? {} : undefined;
  }

  /** Does something to an instance; `subject` as `subjectOf` says. `fields`: what a form already knows. */
  async function act(action, subject, fields) {
    const { path, pending } = actions.get(action);
    const { label, title } = subject;
    const body = fields ?? (await fieldsFor(action, subject));
    if (body === undefined) return;
    const isAsked = cardOf(label)?.dataset.pending === pending;
    if (isAsked && Object.keys(body).length === 0) return;
    setPending(label, pending);
    try {
      const answer = await fetch(path.replace(":id", label), {
        method: "POST",
        headers: { "hx-request": "true", accept: "application/json" },
        body: new URLSearchParams(body),
      });
      if (answer.ok) return done(action, subject);
      // A page that is opened leads to the sign-in.
      if (answer.status === 401) return location.reload();
      refused(label, title, refusalText(await answer.text()));
    } catch {
      refused(label, title, UNREACHED);
    }
  }

  function refused(label, title, text) {
    clearPendingAfter(label, 0);
    notify(text, { title: `${short(title)}:`, isError: true });
  }

  function done(action, subject) {
    const { label, title } = subject;
    const { done: text } = actions.get(action);
    clearPendingAfter(label, SETTLED_MS);
    // What is open behind its card is drawn anew.
    const details = byId(`details-${label}`);
    if (details !== null) htmx.trigger(details, "acted");
    const isSeen = cardOf(label) !== null && ["refresh", "rename", "mark_seen"].includes(action);
    if (isSeen) return;
    // Its own page shows how it was when the page was drawn.
    if (location.pathname.includes(label)) return location.reload();
    const undo = { word: "Let it back", run: () => act("let_back", subject) };
    notify(`${text}.`, { title, ...(action === "disconnect" ? { undo } : {}) });
  }

  /** The action that a form on the board stands for, with its instance. */
  function actionOf(form) {
    const { pathname } = new URL(form.getAttribute("action") ?? "", location.href);
    for (const [action, { path }] of actions) {
      const [before, after] = path.split(":id");
      const label = pathname.slice(before.length, pathname.length - after.length);
      const card = cardOf(label);
      if (card !== null && path.replace(":id", label) === pathname && form.method === "post")
        return [action, subjectOf(card)];
    }
    return undefined;
  }

  // ── Forms ──
  /** Forms whose question was answered with yes, on their way. */
  const confirmed = new WeakSet();

  async function confirmThenSend(form, submitter) {
    if (!(await ask(form.dataset.confirm, submitter?.textContent ?? "Go on"))) return;
    confirmed.add(form);
    form.requestSubmit(submitter);
  }

  /** Before htmx hears of it. */
  function onSubmit(event) {
    const { target: form, submitter } = event;
    const isAnswered = confirmed.delete(form);
    const action = actionOf(form);
    const isAsking = action === undefined && form.dataset.confirm !== undefined && !isAnswered;
    if (action === undefined && !isAsking) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isAsking) void confirmThenSend(form, submitter);
    // A name that is sent was asked for already; everything else may have to be asked.
    else
      void act(...action, form.elements.name === undefined ? undefined : { name: form.elements.name.value });
  }

  document.addEventListener("submit", onSubmit, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-closes]") !== null) event.target.closest("dialog").close();
  });
  document.addEventListener("htmx:response:error", (event) => {
    const { response, text } = event.detail.ctx;
    if (response.status === 401) location.reload();
    else if (response.headers.get("content-type")?.startsWith("application/json"))
      notify(refusalText(text), { isError: true });
  });
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (ctx?.request !== undefined && ctx.response === undefined) notify(UNREACHED, { isError: true });
  });
  Object.assign(window.orchestrator, { act, actions, subjectOf, notify, showHelp });
})();
