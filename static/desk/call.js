// A call by hand: Enter dials, timers run, v checks who it is, Shift and a letter go to an outcome. All of it has a button.
"use strict";

(() => {
  // It comes with the first outcome bar, and once is enough.
  if (document.documentElement.dataset.call) return;
  document.documentElement.dataset.call = "here";

  const WATCH_EVERY = 2000;
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const bar = () => $("#work-form[data-act=call]");

  // --- timers --------------------------------------------------------------------------------------------------------

  function tell() {
    for (const timer of $$("[data-timer]")) {
      const gone = Math.max(0, Math.round((Date.now() - Date.parse(timer.dataset.timer)) / 1000));
      if (Number.isNaN(gone)) continue;
      const [hours, minutes, seconds] = [Math.floor(gone / 3600), Math.floor(gone / 60) % 60, gone % 60];
      const two = (number) => String(number).padStart(2, "0");
      timer.textContent = hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
    }
  }
  setInterval(tell, 1000);

  // What the telephone system tells: asked for while a call goes on.
  setInterval(() => {
    const strip = $("[data-watch]");
    if (strip && !document.hidden) htmx.ajax("GET", strip.dataset.watch, { target: "#live", swap: "outerHTML" });
  }, WATCH_EVERY);

  // --- dialling ------------------------------------------------------------------------------------------------------

  function ring() {
    const address = $("[data-rings]");
    if (!address) return;
    address.removeAttribute("data-rings");
    // In a frame that is gone at once: where the browser would ask first, its question must not swallow the next keys.
    // There the number in the strip is a link, and the answer can be "always".
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    frame.contentWindow.location.href = address.href;
    setTimeout(() => frame.remove(), 100);
  }

  function jump(letter) {
    const choices = $$("[name=disposition]", bar());
    const at = choices.findIndex((choice) => choice.checked);
    const after = [...choices.slice(at + 1), ...choices.slice(0, at + 1)];
    const name = (choice) => choice.closest("label").textContent.replace(/^\s*\d?\s*/, "").toLowerCase();
    const found = after.find((choice) => name(choice).startsWith(letter));
    if (found) { found.click(); found.focus(); }
    return Boolean(found);
  }

  function onBar(event) {
    const open = bar();
    if (!open || event.ctrlKey || event.metaKey || event.altKey) return false;
    const writes = event.target.matches && event.target.matches("textarea, button, a, summary, select");
    const here = open.contains(event.target) || event.target === document.body;
    if (event.key === "Enter" && here && !writes) {
      const dial = $("[data-dial]", open), inbound = $("[name=direction][value=inbound]:checked", open);
      if (!dial || inbound || $("[name=override_reason]", open) === event.target) return false;
      dial.click();
      return true;
    }
    const typed = event.target.matches && event.target.matches("input:not([type=radio], [type=checkbox]), textarea, select");
    return !typed && here && event.shiftKey && /^\p{L}$/u.test(event.key) && jump(event.key.toLowerCase());
  }

  // --- who is on the line --------------------------------------------------------------------------------------------

  const rows = (form) => $$("[data-detail]:not(.done)", form);

  function tick(form, row, value) {
    const box = $(`input[value=${value}]`, row);
    if (!box) return;
    box.checked = true;
    const all = rows(form), next = all[all.indexOf(row) + 1] || row;
    ($("input:checked", next) || $("input", next)).focus();
    const matched = $$(".done, [data-detail]:has(input[value=matched]:checked)", form).filter((one) => one.dataset.detail !== "full_name");
    const failed = $$("input[value=failed]:checked", form);
    if (matched.length >= Number(form.dataset.wanted) && !failed.length) form.requestSubmit();
  }

  function onIdentity(event) {
    const form = $("#identity-form");
    if (!form || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
    if (event.key === "Escape") { drop("#identity"); return true; }
    if (!form.contains(event.target)) return false;
    const row = event.target.closest("[data-detail]") || rows(form)[0];
    if (!row) return false;
    if (event.key === "m" || event.key === "f") { tick(form, row, event.key === "m" ? "matched" : "failed"); return true; }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const all = rows(form), to = all[all.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
      if (to) ($("input:checked", to) || $("input", to)).focus();
      return true;
    }
    if (event.key === "Enter" && event.target.matches("input")) { form.requestSubmit(); return true; }
    return false;
  }

  function drop(selector) {
    $(selector).replaceChildren();
    const open = bar();
    if (open) ($("[name=disposition]:checked", open) || $("[name=disposition]", open)).focus({ focusVisible: false });
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || $("dialog[open]")) return;
    if (onIdentity(event) || onBar(event)) { event.preventDefault(); event.stopPropagation(); }
  }, true);

  document.addEventListener("click", (event) => {
    const closes = event.target.closest("[data-drop]");
    if (closes) drop(closes.dataset.drop);
  });

  // --- htmx ----------------------------------------------------------------------------------------------------------

  document.addEventListener("htmx:afterSettle", (event) => {
    tell();
    ring();
    const into = event.detail.target;
    if (into.id === "identity") {
      const first = $("#identity-form [data-detail]:not(.done) input");
      if (first) first.focus();
      else {
        drop("#identity");
        const next = $("#script-card li:not(.verify)");
        if (next) next.scrollIntoView({ block: "start" });
      }
    }
    // Hung up: the outcome bar is there.
    if ($("[data-live=ended]") && !$("#work-form") && into.id !== "work") { const call = $("[data-key=c]"); if (call) call.click(); }
  });

  tell();
  ring();
})();
