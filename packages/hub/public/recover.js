// A page that waits, for an instance or for the hub, asks less and less often whether it is back, and then opens what was
// asked for. While nobody looks at it, it asks nothing.
"use strict";
(() => {
  const FIRST_MS = 1000;
  const LONGEST_MS = 15000;
  const status = document.getElementById("waiting");
  if (status === null) return;
  const { ready, silent = "The hub does not answer either. Still trying." } = status.dataset;
  let delay = FIRST_MS;
  let timer;

  async function ask() {
    if (document.hidden) return;
    try {
      const answer = await fetch(ready, { cache: "no-store", redirect: "manual" });
      // 503 means still away. Anything else, a request to sign in included, is for the page itself to show.
      if (answer.status !== 503) return location.replace(location.pathname === ready ? "/" : location.href);
      status.textContent = "Waiting for it.";
    } catch {
      status.textContent = silent;
    }
    timer = setTimeout(() => void ask(), delay * (0.8 + Math.random() * 0.4));
    delay = Math.min(delay * 1.5, LONGEST_MS);
  }

  function askNow() {
    clearTimeout(timer);
    delay = FIRST_MS;
    void ask();
  }

  document.addEventListener("visibilitychange", askNow);
  addEventListener("online", askNow);
  timer = setTimeout(() => void ask(), FIRST_MS);
})();
