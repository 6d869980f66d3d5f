// The box by keyboard: the keys of a row work while it, or something in it, has the focus. Everything has a way without.
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll(".box [data-entry]")];
  const controls = (row) => [...row.querySelectorAll("[data-row]")];

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest(".box [data-entry]");
    if (!row) return;
    for (const other of rows()) for (const control of controls(other)) delete control.dataset.key;
    for (const control of controls(row)) if (control.dataset.row.length === 1) control.dataset.key = control.dataset.row;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches(".box [data-entry]")) {
      const link = event.target.querySelector('[data-row="enter"]');
      if (link) { link.click(); event.preventDefault(); }
    }
    if (event.key === "Escape") {
      const open = document.querySelector(".box details[open]");
      if (open) { open.open = false; open.closest("[data-entry]").focus(); event.preventDefault(); }
    }
  });

  document.addEventListener("toggle", (event) => {
    if (!event.target.matches(".box details")) return;
    if (!event.target.open) return;
    for (const other of document.querySelectorAll(".box details[open]")) if (other !== event.target) other.open = false;
    event.target.querySelector("select").focus();
  }, true);

  const first = rows()[0];
  if (first && (document.activeElement === document.body || document.activeElement === null)) first.focus();
})();
