// The designer: quotes while terms are typed, and one key to say that the customer agrees to the words they heard.
"use strict";

(() => {
  // It comes with the first panel that needs it, and once is enough.
  if (document.documentElement.dataset.designer) return;
  document.documentElement.dataset.designer = "here";

  const WAIT = 200;
  const PASSING = new Set(["agreed", "agreed_by", "note", "heard", "item", "once", "csrfmiddlewaretoken"]);

  const $ = (selector, within = document) => within.querySelector(selector);
  const form = () => $("#work-form[data-agrees]");
  let quoted = "", pending = false, timer = 0, queued = [];

  // What was typed of the terms; ticked bills are of the form wherever they stand.
  const terms = (open) => JSON.stringify([...new FormData(open)].filter(([name, value]) => !PASSING.has(name) && typeof value === "string"));

  function begin() {
    const open = form();
    clearTimeout(timer);
    pending = false;
    queued = [];
    quoted = open ? terms(open) : "";
    const offer = $("a.offer[aria-current]");
    if (offer) offer.scrollIntoView({ block: "nearest" });
  }

  function ask() {
    clearTimeout(timer);
    timer = 0;
    const open = form();
    if (!open || !$("#terms")) return;
    quoted = terms(open);
    htmx.trigger("#terms", "requote");
  }

  // The words change with the terms: who agreed to the old ones has not heard the new.
  function changed() {
    const open = form();
    if (!open || !$("#terms") || terms(open) === quoted) return;
    if (open.elements.agreed) open.elements.agreed.checked = false;
    pending = true;
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  }

  function whenQuoted(act) {
    if (!pending) { act(); return; }
    queued.push(act);
    if (timer) ask();
  }

  for (const name of ["input", "change"]) {
    document.addEventListener(name, (event) => {
      const open = form(), field = event.target;
      if (open && field.form === open && !PASSING.has(field.name)) changed();
    });
  }

  // Letters mean nothing in an amount, a number or a day: there they are keys.
  const figures = (field) => field.matches("[inputmode=decimal], [type=number], [type=date], [type=checkbox], [type=radio]");
  const writes = (field) => field.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(field.tagName);
  const letter = (event) => (/^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : /^Key([A-Z])$/.test(event.code || "") && event.key > "\x7f" ? event.code[3].toLowerCase() : "");

  document.addEventListener("keydown", (event) => {
    const open = form(), at = event.target;
    if (!open || event.isComposing || $("dialog[open]")) return;
    const offer = at.closest && at.closest("a.offer");
    if (offer && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const all = [...document.querySelectorAll("a.offer")];
      const next = all[all.indexOf(offer) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) next.focus();
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (writes(at) && !figures(at)) return;
    const key = letter(event);
    if (key === "a" && open.elements.agreed) {
      event.preventDefault();
      const wanted = !open.elements.agreed.checked;
      whenQuoted(() => { const now = form(); if (now && now.elements.agreed && now.elements.heard) now.elements.agreed.checked = wanted; });
    } else if (key === "i" && $("a.offer")) {
      event.preventDefault();
      ($("a.offer[aria-current]") || $("a.offer")).focus();
    }
  }, true);

  // Saved is what was read: a quote that is under way comes first.
  document.addEventListener("htmx:confirm", (event) => {
    if (event.target !== form() || !pending) return;
    event.preventDefault();
    whenQuoted(() => event.detail.issueRequest(true));
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const into = event.detail.target;
    if (into.id !== "quote") { if (!into.id || /^(work|account|outcome)$/.test(into.id)) begin(); return; }
    const open = form();
    if (open && terms(open) !== quoted) return;
    pending = false;
    const waiting = queued;
    queued = [];
    for (const act of waiting) act();
  });
  // Where no quote can be had, the desk itself answers.
  for (const name of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(name, () => { pending = false; queued = []; });
  }

  document.addEventListener("focusin", (event) => { if (event.target.matches("[data-copies]")) event.target.select(); });

  begin();
})();
