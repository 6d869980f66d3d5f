// Variants of a figure, folded until somebody wants them; without scripts they are simply there.
"use strict";

(() => {
  const buttons = [...document.querySelectorAll("[data-unfolds]")];
  const all = document.querySelector("[data-unfolds-all]");

  function fold(button, folded) {
    document.getElementById(button.dataset.unfolds).classList.toggle("folded", folded);
    button.setAttribute("aria-expanded", String(!folded));
  }

  const open = (button) => button.getAttribute("aria-expanded") === "true";
  const tell = () => all && all.setAttribute("aria-pressed", String(buttons.every(open)));

  for (const button of buttons) button.addEventListener("click", () => { fold(button, open(button)); tell(); });
  if (all) all.addEventListener("click", () => {
    const folded = buttons.every(open);
    for (const button of buttons) fold(button, folded);
    tell();
  });
})();
