// Findings by keyboard: the row that has the focus is right or wrong, and the next one follows.
"use strict";

(() => {
  const rowOf = (event) => event.target.matches && event.target.matches(".judging [data-entry]") ? event.target : null;
  let behind = "";

  document.addEventListener("keydown", (event) => {
    const row = rowOf(event);
    if (!row || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "Enter") { row.querySelector("[data-open]").click(); event.preventDefault(); return; }
    const verdict = { r: "right", w: "wrong" }[event.key];
    const button = verdict && row.querySelector(`button[value="${verdict}"]`);
    if (!button) return;
    behind = row.nextElementSibling ? row.nextElementSibling.id : row.id;
    button.click();
    event.preventDefault();
    event.stopPropagation();
  }, true);

  document.addEventListener("htmx:afterSettle", () => {
    const next = behind && document.getElementById(behind);
    behind = "";
    if (next) next.focus();
  });

  const first = document.querySelector(".judging [data-entry]");
  if (first && (document.activeElement === document.body || document.activeElement === null)) first.focus();
})();
