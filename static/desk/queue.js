// The whole queue: tick many rows at once, and list anew when a filter changes. Everything here has a way without it.
"use strict";

(() => {
  const boxes = () => [...document.querySelectorAll('input[name="items"]')];
  const all = document.querySelector("[data-tick-all]");
  const told = document.querySelector("[data-ticked]");
  const words = told && told.textContent;

  function count() {
    const ticked = boxes().filter((box) => box.checked).length;
    if (told) told.textContent = ticked ? `${words} ${ticked}` : words;
    if (all) {
      all.checked = ticked > 0 && ticked === boxes().length;
      all.indeterminate = ticked > 0 && !all.checked;
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    const narrowing = event.target.closest("[data-narrow]");
    if (narrowing) narrowing.requestSubmit();
    count();
  });
  count();
})();
