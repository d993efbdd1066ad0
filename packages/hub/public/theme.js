// Before the first paint: the theme this browser was told to use, else the system's. Later: being told another, in any tab.
"use strict";
(() => {
  const KEY = "theme";
  const root = document.documentElement;

  /** "light", "dark", or null for the system's. */
  function chosen() {
    try {
      const theme = localStorage.getItem(KEY);
      return theme === "light" || theme === "dark" ? theme : null;
    } catch {
      // A browser that keeps nothing.
      return null;
    }
  }

  function show() {
    const theme = chosen();
    if (theme === null) delete root.dataset.theme;
    else root.dataset.theme = theme;
    // The colour of the browser's own frame: of two tags the first that matches counts.
    for (const meta of document.querySelectorAll("meta[name=theme-color]")) {
      const own = meta.dataset.for;
      meta.media = theme === null ? `(prefers-color-scheme: ${own})` : own === theme ? "all" : "not all";
    }
    for (const choice of document.querySelectorAll("input[name=theme]"))
      choice.checked = choice.value === (theme ?? "system");
  }

  function setTheme(theme) {
    try {
      if (theme === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Then it is the system's.
    }
    show();
  }

  show();
  document.addEventListener("DOMContentLoaded", show);
  addEventListener("storage", show);
  // A page out of the browser's memory was not told.
  addEventListener("pageshow", show);
  document.addEventListener("change", ({ target }) => {
    if (target.name === "theme") setTheme(target.value);
  });
  /** `setTheme`: "system", "light" or "dark". */
  window.orchestrator = { setTheme };
})();
