// Keys: j and k move between cards, x shows more, Enter opens (the link has the focus), Escape closes.
"use strict";
(() => {
  function moveFocus(step) {
    const links = [...document.querySelectorAll(".card-open")];
    const card = document.activeElement?.closest(".card");
    const index = links.findIndex((link) => link.closest(".card") === card);
    const next = links[index === -1 ? (step > 0 ? 0 : links.length - 1) : index + step];
    next?.focus();
    next?.closest(".card").scrollIntoView({ block: "nearest" });
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select"))
      return;
    if (event.key === "j") moveFocus(1);
    else if (event.key === "k") moveFocus(-1);
    else if (event.key === "x") event.target.closest(".card")?.querySelector("summary")?.click();
    else if (event.key === "Escape") window.orchestrator.closeDetails();
  }

  document.addEventListener("keydown", onKey);
})();
