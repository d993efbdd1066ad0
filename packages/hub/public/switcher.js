// The page in the frame of an instance's mark: finding among its links. The page around it learns that somebody wants to
// be rid of the frame, and nothing else.
"use strict";
(() => {
  const { around } = document.body.dataset;
  const search = document.querySelector("input[type=search]");
  const rows = [...document.querySelectorAll(".entries > li")];
  const shown = () => rows.filter((row) => !row.hidden).map((row) => row.firstElementChild);

  function find() {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const row of rows)
      row.hidden = !words.every((word) => row.dataset.text.toLowerCase().includes(word));
    document.querySelector("[role=status]").textContent =
      shown().length === 0 ? "No instance is called so." : "";
  }

  /** Up and down go through the field and the links that are shown. */
  function move(step) {
    const stops = [search, ...shown()];
    const next = stops[stops.indexOf(document.activeElement) + step];
    next?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && around !== undefined) parent.postMessage("orchestrator:close", around);
    else if (search === null) return;
    else if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && event.target === search) shown()[0]?.click();
    else return;
    event.preventDefault();
  });
  search?.addEventListener("input", find);
  // The mark gives the frame the focus; the field is what one wants.
  addEventListener("focus", () => {
    if (document.activeElement === document.body) search?.focus();
  });
})();
