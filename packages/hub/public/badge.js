// How many instances need somebody, where it is seen when the page is not: in the tab's icon, and on that of the installed app.
"use strict";
(() => {
  const icon = document.querySelector("link[rel=icon]");
  const quiet = icon.href;
  const asking = quiet.replace(/icon\.svg$/, "icon-needs.svg");

  /** An app's badge may be refused, as where notifications are; there the tab's icon is all. */
  function tellApp(count) {
    if (navigator.setAppBadge === undefined) return;
    const told = count > 0 ? navigator.setAppBadge(count) : navigator.clearAppBadge();
    told.catch(() => undefined);
  }

  function show() {
    const count = Number(document.getElementById("counts")?.dataset.needs ?? 0);
    const href = count > 0 ? asking : quiet;
    if (icon.href !== href) icon.href = href;
    tellApp(count);
  }

  document.addEventListener("orchestrator:counts", show);
  // What nobody looks after any more is not claimed.
  addEventListener("pagehide", () => tellApp(0));
  addEventListener("pageshow", show);
  show();
})();
