// The desk's keys, panels, tabs and half-typed work. Everything here has a way without it; nothing acts while you type.
"use strict";

(() => {
  const KEEP_EVERY = 5000, HEARTBEAT = 120000;
  const root = document.documentElement;
  root.classList.add("scripted");

  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const typing = (element) =>
    element.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) && !/^(checkbox|radio|button|submit)$/.test(element.type || ""));
  const form = () => $("#work-form");

  // --- panels ------------------------------------------------------------------------------------------------------

  function showPanels() {
    const work = $("#work");
    if (!work) return;
    const full = Boolean(work.querySelector("form"));
    work.hidden = !full;
    $("#script-card").hidden = full;
  }

  function close() {
    const open = form();
    if (!open) return false;
    keepNow();
    (open.closest("#work") || open.closest("#outcome")).replaceChildren();
    showPanels();
    countTicked();
    return true;
  }

  function focusForm() {
    const open = form();
    if (!open) return;
    const field = $("[aria-invalid=true]", open) || $("[data-first]", open) ||
      $("input:not([type=hidden], [type=radio], [type=checkbox]), select, textarea", open);
    if (open.dataset.act === "call") {
      ($("[name=disposition]:checked", open) || $("[name=disposition]", open)).focus({ focusVisible: false });
    } else if (field) {
      field.focus();
      if (field.select) field.select();
    }
  }

  // --- tabs --------------------------------------------------------------------------------------------------------

  function select(tab, focus) {
    const list = tab.closest("[role=tablist]");
    for (const other of $$("[role=tab]", list)) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
    const account = $("#account");
    if (account) sessionStorage.setItem(`tab ${account.dataset.ref}`, tab.id);
  }

  function setUpTabs() {
    const account = $("#account");
    for (const list of $$("[data-tabs] [role=tablist]")) {
      const kept = account && document.getElementById(sessionStorage.getItem(`tab ${account.dataset.ref}`) || "");
      select(kept || $("[role=tab]", list), false);
    }
  }

  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest && event.target.closest("[role=tab]");
    if (tab && event.key === " ") { select(tab, false); event.preventDefault(); return; }
    if (!tab || !/^(ArrowLeft|ArrowRight|Home|End)$/.test(event.key)) return;
    const tabs = $$("[role=tab]", tab.closest("[role=tablist]"));
    const at = tabs.indexOf(tab);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    select(tabs[(to + tabs.length) % tabs.length], true);
    event.preventDefault();
  });

  // --- bills -------------------------------------------------------------------------------------------------------

  function countTicked() {
    const told = $("#ticked");
    if (!told) return;
    const ticked = $$("input[name=bills]:checked");
    const places = Math.max(0, ...ticked.map((box) => (box.dataset.open.split(".")[1] || "").length));
    const sum = ticked.reduce((total, box) => total + Number(box.dataset.open), 0);
    told.textContent = ticked.length ? `${ticked.length} ticked, ${sum.toFixed(places)} ${told.dataset.currency}` : "";
    const open = form();
    const amount = open && open.dataset.act === "promise" && open.elements.amount;
    if (amount && ticked.length && !amount.dataset.touched) { amount.value = sum.toFixed(places); echo(amount); }
  }

  // --- echoes: what the agent reads back -----------------------------------------------------------------------------

  function echo(field) {
    const told = field.form && $(`[data-echo="${field.name}"]`, field.form);
    if (!told) return;
    const day = field.type === "date" && field.value ? new Date(`${field.value}T12:00`) : null;
    told.textContent = day ? day.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" }) : field.value || "…";
  }

  function share(amountId, part) {
    const bill = form().elements.bill, chosen = bill && bill.selectedOptions[0];
    if (!chosen) return;
    const open = chosen.dataset.open, places = (open.split(".")[1] || "").length, unit = 10 ** places;
    document.getElementById(amountId).value = (Math.round(Number(open) * unit * part) / unit).toFixed(places);
  }

  function showOnlyWanted() {
    const open = form();
    if (!open) return;
    if (open.dataset.act === "plan") {
      const by = open.elements.by.value;
      for (const name of ["count", "amount"]) open.elements[name].closest(".field").hidden = by !== name;
    }
    if (open.dataset.act === "hold") $(".manual", open).hidden = open.elements.reason.value !== "manual";
  }

  // --- half-typed work -------------------------------------------------------------------------------------------------

  let dirty = false, lastBeat = Date.now();

  async function keepNow() {
    const account = $("#account"), open = form();
    if (!account || !account.dataset.keep) return;
    const keeps = open && dirty && !open.hasAttribute("data-unkept");
    const typed = keeps ? new FormData(open) : new FormData();
    if (keeps) typed.set("act", open.dataset.act);
    typed.set("item", account.dataset.item);
    dirty = false;
    lastBeat = Date.now();
    const headers = JSON.parse(document.body.getAttribute("hx-headers"));
    try {
      const answer = await fetch(account.dataset.keep, { method: "POST", body: typed, headers });
      const told = $("#kept");
      if (answer.status === 409) {
        delete account.dataset.keep;
        const { lost } = await answer.json();
        say(lost, "error");
        if (told) told.textContent = "no longer yours";
      } else if (answer.ok && told && typed.has("act")) told.textContent = "kept what you typed";
    } catch { dirty = Boolean(open); }
  }

  setInterval(() => {
    if (dirty || Date.now() - lastBeat > HEARTBEAT) keepNow();
  }, KEEP_EVERY);

  // --- messages --------------------------------------------------------------------------------------------------------

  function say(text, level) {
    const toast = document.createElement("div");
    toast.className = `toast ${level || ""}`;
    toast.textContent = text;
    $("#toasts").append(toast);
    fadeLater();
  }

  function fadeLater() {
    for (const toast of $$("#toasts .toast:not([data-leaves])")) {
      toast.dataset.leaves = "1";
      if (!toast.matches(".error, .warning")) setTimeout(() => toast.remove(), 6000);
      toast.addEventListener("click", () => toast.remove());
    }
  }

  // --- search ----------------------------------------------------------------------------------------------------------

  const seek = $("#seek"), found = $("#found");
  function matches() { return found ? $$("a", found) : []; }
  function choose(step) {
    const all = matches();
    if (!all.length) return;
    const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
    const to = (at + step + all.length + (at < 0 && step < 0 ? 1 : 0)) % all.length;
    all.forEach((row, place) => { row.id = `found-${place}`; row.setAttribute("aria-selected", String(place === to)); });
    seek.setAttribute("aria-activedescendant", all[to].id);
    all[to].scrollIntoView({ block: "nearest" });
  }
  function forget() {
    if (!found) return;
    found.replaceChildren();
    seek.setAttribute("aria-expanded", "false");
    seek.removeAttribute("aria-activedescendant");
  }
  if (seek) {
    seek.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { choose(event.key === "ArrowDown" ? 1 : -1); event.preventDefault(); }
      if (event.key === "Escape") { forget(); seek.value = ""; seek.blur(); event.stopPropagation(); }
      if (event.key === "Enter") {
        const chosen = matches().find((row) => row.getAttribute("aria-selected") === "true");
        if (chosen) { event.preventDefault(); location.href = chosen.href; }
      }
    });
    document.addEventListener("click", (event) => { if (!event.target.closest(".seek")) forget(); });
  }

  // --- keys ------------------------------------------------------------------------------------------------------------

  function walk(step) {
    const rows = $$("[data-entry]");
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    const to = Math.min(Math.max(at + step, 0), rows.length - 1);
    rows[to].focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter") {
      const open = form();
      if (open) { $("[data-save-next]", open).click(); event.preventDefault(); }
      else { const call = $("[data-key=c]"); if (call) { call.click(); event.preventDefault(); } }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") { if (!$("dialog[open]") && close()) event.preventDefault(); return; }
    if (typing(event.target) || $("dialog[open]")) return;
    if (/^[1-9]$/.test(event.key)) {
      const choice = $(`#outcome [data-digit="${event.key}"]`);
      if (choice) { choice.click(); choice.focus(); event.preventDefault(); }
      return;
    }
    const act = {
      "/": () => seek && (seek.focus(), seek.select()),
      "?": () => $("#keys").showModal(),
      j: () => walk(1),
      k: () => walk(-1),
    }[event.key];
    if (act) { act(); event.preventDefault(); return; }
    const button = /^[a-z]$/.test(event.key) && $(`[data-key="${event.key}"]`);
    if (button && button.offsetParent) { button.click(); event.preventDefault(); }
  });

  // --- clicks and typing -------------------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-opens], [data-closes], [data-close], [role=tab], [data-share] button");
    if (!target) return;
    if (target.dataset.opens) document.getElementById(target.dataset.opens).showModal();
    else if (target.dataset.closes) document.getElementById(target.dataset.closes).close();
    else if (target.matches("[data-close]")) { if (close()) event.preventDefault(); }
    else if (target.matches("[role=tab]")) { select(target, false); event.preventDefault(); }
    else { share(target.closest("[data-share]").dataset.share, Number(target.value)); dirty = true; }
  });

  for (const name of ["input", "change"]) {
    document.addEventListener(name, (event) => {
      const field = event.target;
      if (field.name === "bills") {
        countTicked();
        if ($("#terms")) htmx.trigger("#terms", "requote");
      }
      if (!field.form || field.form.id !== "work-form") return;
      dirty = true;
      if (name === "input" && field.name === "amount") field.dataset.touched = "1";
      if (field.dataset.half && name === "change") share(field.dataset.half, 0.5);
      if (field.name === "disposition") {
        const right = field.form.elements.right_party;
        if (right) right.checked = field.dataset.right === "1";
      }
      echo(field);
      showOnlyWanted();
    });
  }

  document.addEventListener("submit", (event) => {
    const chosen = event.target.matches("[data-theme-form]") && event.submitter;
    if (!chosen) return;
    event.preventDefault();
    const theme = chosen.value;
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    const body = new FormData(event.target);
    body.set("theme", theme);
    fetch(event.target.action, { method: "POST", body, headers: { "HX-Request": "true" } });
    chosen.value = { dark: "light", light: "", "": "dark" }[theme];
  });

  // --- Countdowns --------------------------------------------------------------------------------------------------------

  function countDown() {
    for (const clock of $$("[data-countdown]")) {
      const left = Math.round((Date.parse(clock.dataset.countdown) - Date.now()) / 1000);
      if (Number.isNaN(left)) continue;
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
      const two = (number) => String(number).padStart(2, "0");
      if (left <= 0) clock.textContent = "a moment: reload";
      else if (hours < 48) clock.textContent = `${hours}:${two(minutes)}:${two(seconds)}`;
    }
  }
  setInterval(countDown, 1000);

  // --- htmx --------------------------------------------------------------------------------------------------------------

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== seek) document.body.classList.add("waiting");
    const open = form(), into = event.detail.target;
    // One form at a time: opening another keeps what was typed in this one.
    if (open && into && /^(work|outcome)$/.test(into.id) && !into.contains(open)) close();
  });
  document.addEventListener("htmx:afterRequest", () => document.body.classList.remove("waiting"));
  document.addEventListener("htmx:afterSwap", (event) => {
    const into = event.detail.target;
    if (into === found) { if (seek) seek.setAttribute("aria-expanded", String(matches().length > 0)); return; }
    if (into.id === "quote") return;
    if (into.id === "work" || into.id === "outcome") { showPanels(); dirty = false; focusForm(); }
    if (into.id === "account" || !into.isConnected) { setUpTabs(); showPanels(); if (form()) focusForm(); }
    showOnlyWanted();
    countTicked();
    fadeLater();
  });
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    say(status === 403 ? "That is not for your role." : status === 404 ? "That account is not there any more." :
      "The desk could not do that. Nothing was changed; try again.", "error");
  });
  document.addEventListener("htmx:sendError", () => say("No connection to the desk. What you typed is still here.", "error"));

  setUpTabs();
  showPanels();
  showOnlyWanted();
  countTicked();
  fadeLater();
  if (form()) focusForm();
})();
