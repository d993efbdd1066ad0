// Questions before what cannot be undone.
"use strict";
(() => {
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question !== undefined && !confirm(question)) event.preventDefault();
  });
})();
