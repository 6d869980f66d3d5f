// The approvals by keyboard: Enter opens the facts of a row; a and x decide on what is open, never on what was not looked at.
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll(".asked [data-entry]")];
  const rowOf = (element) => (element.closest ? element.closest(".asked [data-entry]") : null);
  const facts = document.querySelector("#facts");
  const openKey = () => { const head = facts && facts.querySelector("[data-opened]"); return head ? head.dataset.opened : ""; };
  const typing = (element) => /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);

  function mark() {
    for (const row of rows()) {
      if (row.id === openKey()) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    }
  }

  function open(row) { row.querySelector("[data-facts]").click(); }

  // A decline wants its reason; the key and the button ask for it.
  function askWhy() {
    const why = document.querySelector("#why");
    why.required = true;
    why.dataset.declines = "1";
    document.querySelector("#why-wanted").hidden = false;
    why.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.id === "why" && event.key === "Enter") {
      event.preventDefault();
      if (event.target.dataset.declines && event.target.value.trim()) event.target.form.querySelector("[value=decline]").click();
      return;
    }
    if (event.key === "Escape" && facts && facts.contains(event.target)) {
      const row = document.getElementById(openKey());
      if (row) { row.focus(); event.preventDefault(); event.stopPropagation(); }
      return;
    }
    if (typing(event.target)) return;
    const row = rowOf(event.target);
    if (row && event.target === row && event.key === "Enter") { open(row); event.preventDefault(); return; }
    // The row that has the focus is meant: one that was not looked at is opened first.
    if (row && /^[ax]$/i.test(event.key) && row.id !== openKey()) { open(row); event.preventDefault(); event.stopPropagation(); }
  }, true);

  document.addEventListener("click", (event) => {
    const decline = event.target.closest("#decide [value=decline]");
    if (decline && !decline.form.elements.reason.value.trim()) { event.preventDefault(); askWhy(); }
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "decide") return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "1";
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target === facts) mark(); });

  mark();
  const first = document.getElementById(openKey()) || rows()[0];
  if (first && (document.activeElement === document.body || document.activeElement === null)) first.focus();
})();
