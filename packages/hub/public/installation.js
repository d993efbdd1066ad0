// Lets the service worker of this version show a page of ours when the hub does not answer. After the page, which comes first.
"use strict";
(() => {
  const version = document.currentScript.src.split("/").at(-2);
  const { serviceWorker } = navigator;
  if (serviceWorker === undefined) return;
  addEventListener("load", () => {
    // Where a browser refuses, as in a private window, its own error page has to do.
    serviceWorker.register(`/service-worker.js?version=${version}`).catch(() => undefined);
  });
})();
