// The desks of disputes and complaints by keyboard: rows are opened and ticked where the focus is; files that are too large are named at once.
"use strict";

(() => {
  const boxes = () => [...document.querySelectorAll('.contested input[type="checkbox"]')];
  const chosen = document.querySelector("#chosen");

  function count() {
    if (!chosen) return;
    const ticked = boxes().filter((box) => box.checked).length;
    chosen.textContent = ticked ? (ticked === 1 ? chosen.dataset.one : chosen.dataset.many.replace("#", ticked)) : "";
  }

  document.addEventListener("keydown", (event) => {
    const row = event.target.matches && event.target.matches(".contested [data-entry]") ? event.target : null;
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = row.querySelector('input[type="checkbox"]');
    if (event.key === "Enter") { row.querySelector("[data-open]").click(); event.preventDefault(); }
    if (event.key === " " && box) { box.checked = !box.checked; count(); event.preventDefault(); }
    // Nothing is ticked: the row that has the focus is meant.
    if (event.key === "a" && box && !boxes().some((other) => other.checked)) { box.checked = true; count(); }
  }, true);

  document.addEventListener("change", (event) => {
    if (event.target.matches('.contested input[type="checkbox"]')) count();
    if (!event.target.matches("[data-files]")) return;
    const told = event.target.closest(".field").querySelector("[data-too-large]");
    if (!told) return;
    const most = Number(told.dataset.tooLarge);
    const large = [...event.target.files].filter((file) => file.size > most * 1024 * 1024).map((file) => file.name);
    told.hidden = !large.length;
    told.textContent = large.length ? `${large.join(", ")}: ${told.dataset.words.replace("#", most)}` : "";
  });

  count();
  const first = document.querySelector(".contested [data-entry]");
  if (first && (document.activeElement === document.body || document.activeElement === null)) first.focus();
})();
