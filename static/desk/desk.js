// The desk's keys, panels, tabs and messages. Everything here has a way without it; no letter acts while you type.
// Beside it: ahead.js (keys typed before they are heard), kept.js (half-typed work), palette.js (find any action), news.js (what happens meanwhile).
"use strict";

const desk = (() => {
  const MOST_TOASTS = 4;
  const root = document.documentElement;
  root.classList.add("scripted");

  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const typing = (element) =>
    element.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) && !/^(checkbox|radio|button|submit)$/.test(element.type || ""));
  const form = () => $("#work-form");
  const account = () => $("#account");
  const visible = (element) => element.checkVisibility ? element.checkVisibility({ visibilityProperty: true }) : Boolean(element.offsetParent);
  const headers = () => ({ ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true" });
  const clockOf = (moment) => new Date(moment).toLocaleTimeString(root.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  // Words of the page's language, with what is to be put into them.
  function words(name, ...put) {
    const told = $("#words");
    let text = (told && told.getAttribute(`data-w-${name}`)) || "";
    put.forEach((value, place) => { text = text.replace(`#${put.length > 1 ? place + 1 : ""}`, () => value); });
    return text;
  }

  // --- focus: never lost when a part of the page is replaced ---------------------------------------------------------

  let before = null;

  // How to find an element again after its part of the page was replaced.
  function trace(element) {
    if (!element || element === document.body) return null;
    if (element.id) return `#${CSS.escape(element.id)}`;
    for (const name of ["data-key", "href", "action", "data-entry"]) {
      if (element.getAttribute(name)) return `${element.tagName.toLowerCase()}[${name}="${CSS.escape(element.getAttribute(name))}"]`;
    }
    return null;
  }

  function holdFocus() {
    const at = document.activeElement;
    if (!at || at === document.body) return;
    before = at.closest("#work, #outcome") ? [trace(at), opener] : [trace(at)];
  }

  function findFocus() {
    const at = document.activeElement;
    if (!before || (at && at !== document.body && at.isConnected && visible(at))) return;
    const again = before.map((path) => path && $(path)).find((found) => found && visible(found));
    (again || $("#main")).focus({ preventScroll: true });
  }

  // --- panels ------------------------------------------------------------------------------------------------------

  let opener = null; // what opened the form: there the focus goes when it closes

  function showPanels() {
    const work = $("#work"), script = $("#script-card");
    if (!work) return;
    const full = Boolean(work.querySelector("form"));
    work.hidden = !full;
    if (script) script.hidden = full;
  }

  function close() {
    const open = form();
    if (!open) return false;
    const inside = open.contains(document.activeElement) || document.activeElement === document.body;
    if (desk.keepNow) desk.keepNow();
    (open.closest("#work") || open.closest("#outcome")).replaceChildren();
    showPanels();
    countTicked();
    if (inside) { before = [opener]; findFocus(); }
    return true;
  }

  function focusForm() {
    const open = form();
    if (!open) return;
    const field = $("[aria-invalid=true]", open) || $("[data-first]", open) ||
      $("input:not([type=hidden], [type=radio], [type=checkbox]), select, textarea", open);
    if (open.dataset.act === "call") {
      ($("[name=disposition]:checked", open) || $("[name=disposition]", open) || field).focus({ focusVisible: false });
    } else if (field) {
      field.focus();
      if (field.select) field.select();
    }
  }

  // A panel takes the focus when the script that it brings hears its keys.
  const here = new Set($$("script[src]").map((script) => script.src));
  function whenHeard(panel, then) {
    const script = $$("script[src]", panel).find((one) => !here.has(one.src));
    if (!script) { then(); return; }
    ahead.hold("script");
    const heard = () => { then(); ahead.release("script"); };
    script.addEventListener("load", () => { here.add(script.src); heard(); });
    script.addEventListener("error", heard);
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
    if (account()) sessionStorage.setItem(`tab ${account().dataset.ref}`, tab.id);
  }

  function setUpTabs() {
    for (const list of $$("[data-tabs] [role=tablist]")) {
      const kept = account() && document.getElementById(sessionStorage.getItem(`tab ${account().dataset.ref}`) || "");
      select(kept || $("[role=tab]", list), false);
    }
  }

  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest && event.target.closest("[role=tab]");
    if (tab && event.key === " ") { select(tab, false); event.preventDefault(); return; }
    if (!tab || !/^(ArrowLeft|ArrowRight|Home|End)$/.test(event.key)) return;
    const tabs = $$("[role=tab]", tab.closest("[role=tablist]"));
    const at = tabs.indexOf(tab), onward = root.dir === "rtl" ? -1 : 1;
    const to = { ArrowLeft: at - onward, ArrowRight: at + onward, Home: 0, End: tabs.length - 1 }[event.key];
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
    told.textContent = ticked.length ? words("ticked", String(ticked.length), `${sum.toFixed(places)} ${told.dataset.currency}`) : "";
    const open = form();
    const amount = open && open.dataset.act === "promise" && open.elements.amount;
    if (amount && ticked.length && !amount.dataset.touched) { amount.value = sum.toFixed(places); echo(amount); }
  }

  // --- echoes: what the agent reads back -----------------------------------------------------------------------------

  function echo(field) {
    const told = field.form && field.name && $(`[data-echo="${CSS.escape(field.name)}"]`, field.form);
    if (!told) return;
    const day = field.type === "date" && field.value ? new Date(`${field.value}T12:00`) : null;
    const tongue = root.lang === "en" ? "en-GB" : root.lang;
    told.textContent = day ? day.toLocaleDateString(tongue, { day: "numeric", month: "short", year: "numeric" }) : field.value || "…";
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
    const manual = open.dataset.act === "hold" && $(".manual", open);
    if (manual) manual.hidden = open.elements.reason.value !== "manual";
  }

  // --- messages: they steal no focus; F6 goes to them ------------------------------------------------------------------

  // A message with what can be done about it: [words, what it does, key].
  function say(text, level, ...offers) {
    const toast = document.createElement("div");
    toast.className = `toast ${level || ""}`;
    const told = document.createElement("span");
    told.textContent = text;
    toast.append(told);
    for (const [name, act, key] of offers) {
      const offer = document.createElement(typeof act === "string" ? "a" : "button");
      offer.className = "linklike";
      offer.textContent = name;
      if (typeof act === "string") offer.href = act;
      else { offer.type = "button"; offer.addEventListener("click", () => act(toast)); }
      if (key) {
        for (const other of $$(`#toasts [data-key="${key}"]`)) { delete other.dataset.key; const shown = $("kbd", other); if (shown) shown.remove(); }
        offer.dataset.key = key;
        offer.append(" ", Object.assign(document.createElement("kbd"), { textContent: key }));
      }
      toast.append(offer);
    }
    if (offers.length) toast.dataset.stays = "1";
    $("#toasts").append(toast);
    settleToasts();
    return toast;
  }

  function drop(toast) {
    const held = toast.contains(document.activeElement);
    toast.remove();
    if (held) ($("#toasts button, #toasts a") || beforeToasts || $("#main")).focus({ preventScroll: true });
  }

  function settleToasts() {
    for (const toast of $$("#toasts .toast:not([data-seen])")) {
      toast.dataset.seen = "1";
      const shut = document.createElement("button");
      shut.type = "button";
      shut.className = "linklike shut";
      shut.setAttribute("aria-label", words("close"));
      shut.textContent = "×";
      shut.addEventListener("click", () => drop(toast));
      toast.append(shut);
      const undo = $("[data-undo]", toast);
      if (undo) rememberUndo(undo, toast);
      else if (!toast.matches(".error, .warning, [data-stays]")) leave(toast, 6000);
    }
    // The oldest that nobody needs to act on goes first.
    const all = $$("#toasts .toast");
    const calm = all.filter((toast) => !toast.matches(".error, [data-stays]"));
    while (all.length > MOST_TOASTS) {
      const first = calm.shift() || all[0];
      all.splice(all.indexOf(first), 1);
      drop(first);
    }
  }

  // A message that is being read or pointed at stays until it is left alone.
  function leave(toast, after) {
    setTimeout(() => {
      if (!toast.isConnected) return;
      if (toast.matches(":hover, :focus-within")) leave(toast, 1500); else drop(toast);
    }, after);
  }

  let beforeToasts = null;
  function toToasts() {
    const first = $$("#toasts .toast").at(-1);
    if (!first) return;
    if (!first.contains(document.activeElement)) beforeToasts = document.activeElement;
    ($("button, a", first) || first).focus();
  }

  // --- a slip taken back ---------------------------------------------------------------------------------------------

  // The offer goes with the agent to the next page, until its minute is over.
  function rememberUndo(offer, toast) {
    for (const other of $$("#toasts [data-undo]")) if (other !== offer) drop(other.closest(".toast"));
    if (!$("[data-left]", offer)) {
      const left = document.createElement("time");
      left.dataset.left = "";
      left.className = "muted";
      offer.append(" ", left);
    }
    sessionStorage.setItem("undo", JSON.stringify({ action: offer.getAttribute("action"), until: offer.dataset.undo, said: $("span", toast).textContent }));
    tellLeft();
  }

  function offerAgain() {
    const kept = JSON.parse(sessionStorage.getItem("undo") || "null");
    if (!kept || $("#toasts [data-undo]")) return;
    if (Date.parse(kept.until) <= Date.now()) { sessionStorage.removeItem("undo"); return; }
    const toast = document.createElement("div");
    toast.className = "toast";
    const told = document.createElement("span");
    told.textContent = kept.said;
    const offer = document.createElement("form");
    offer.method = "post";
    offer.setAttribute("action", kept.action);
    offer.dataset.undo = kept.until;
    const button = document.createElement("button");
    button.className = "linklike";
    button.append(words("undo"), " ", Object.assign(document.createElement("kbd"), { textContent: "Ctrl Z" }));
    offer.append(button);
    toast.append(told, offer);
    $("#toasts").append(toast);
    settleToasts();
  }

  function tellLeft() {
    for (const offer of $$("#toasts [data-undo]")) {
      const left = Math.floor((Date.parse(offer.dataset.undo) - Date.now()) / 1000);
      if (left < 0) { sessionStorage.removeItem("undo"); drop(offer.closest(".toast")); continue; }
      $("[data-left]", offer).textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
  }

  async function undo(offer) {
    if (offer.dataset.busy) return;
    offer.dataset.busy = "1";
    try {
      const answer = await fetch(offer.getAttribute("action"), { method: "POST", headers: headers() });
      sessionStorage.removeItem("undo");
      drop(offer.closest(".toast"));
      if (answer.status === 404) { say(words("gone"), "error"); return; }
      const told = await answer.json();
      if (!answer.ok) { say(told.refused, "error"); return; }
      const here = account() && account().dataset.ref === told.account;
      say(told.said, "success", ...(here ? [] : [[words("open"), told.href, "g"]]));
      if (!here) return;
      holdFocus();
      if (form() && desk.refresh) desk.refresh(); else htmx.ajax("GET", told.href, { target: "#account", swap: "outerHTML" });
    } catch {
      delete offer.dataset.busy;
      say(words("offline"), "error");
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-undo]")) return;
    event.preventDefault();
    undo(event.target);
  });

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

  // --- keys: a visible button with data-key is that key ----------------------------------------------------------------

  function walk(step) {
    const entries = $$("[data-entry]");
    const rows = entries.length ? entries : $$(".rows tbody a.strong, .walk a").filter(visible);
    if (!rows.length) return false;
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(Math.max(at + step, 0), rows.length - 1)].focus();
    return true;
  }

  // The letter of a key, also on a keyboard of another alphabet.
  function letter(event) {
    if (/^[a-z]$/i.test(event.key)) return event.shiftKey ? "" : event.key.toLowerCase();
    const place = event.key.length === 1 && event.key > "\x7f" && /^Key([A-Z])$/.exec(event.code || "");
    return place && !event.shiftKey ? place[1].toLowerCase() : "";
  }

  function press(element) {
    if (element.closest("#work, #outcome") === null && element.hasAttribute("hx-get")) opener = trace(element);
    element.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      const open = form();
      if (open) { const save = $("[data-save-next]", open) || $("[data-save]", open); if (save) save.click(); event.preventDefault(); }
      else { const call = $("[data-key=c]"); if (call) { press(call); event.preventDefault(); } }
      return;
    }
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.code === "KeyZ") {
      const offer = $("#toasts [data-undo]");
      if (offer && !(typing(event.target) && event.target.value)) { undo(offer); event.preventDefault(); }
      return;
    }
    if (event.key === "F6") { toToasts(); event.preventDefault(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") {
      const toast = event.target.closest && event.target.closest(".toast");
      const menu = $("details.menu[open]");
      if ($("dialog[open]")) return;
      if (toast) { drop(toast); event.preventDefault(); }
      else if (menu) { menu.open = false; $("summary", menu).focus(); event.preventDefault(); }
      else if (close()) event.preventDefault();
      return;
    }
    if (typing(event.target) || $("dialog[open]")) return;
    if (/^[1-9]$/.test(event.key)) {
      const choice = $(`#outcome [data-digit="${event.key}"]`);
      if (choice) { choice.click(); choice.focus(); event.preventDefault(); }
      return;
    }
    const listed = event.target.matches && event.target.matches("[data-entry], .rows tbody a.strong, .walk a");
    const named = letter(event);
    const act = {
      "/": () => seek && (seek.focus(), seek.select()),
      "?": () => withPalette(() => desk.listKeys()),
      j: () => walk(1),
      k: () => walk(-1),
      ArrowDown: listed && (() => walk(1)),
      ArrowUp: listed && (() => walk(-1)),
    }[named || event.key];
    if (act) { act(); event.preventDefault(); return; }
    const button = named && $$(`[data-key="${named}"]`).find(visible);
    if (button) { press(button); event.preventDefault(); }
  });

  // --- clicks and typing -------------------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const menu = $("details.menu[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
    const opens = event.target.closest("[hx-get]");
    if (opens && !opens.closest("#work, #outcome")) opener = trace(opens);
    const target = event.target.closest("[data-opens], [data-closes], [data-close], [role=tab], [data-share] button, [data-copies], [data-prints]");
    if (!target) return;
    if (target.dataset.opens === "keys") withPalette(() => desk.listKeys());
    else if (target.dataset.opens) document.getElementById(target.dataset.opens).showModal();
    else if (target.dataset.closes) document.getElementById(target.dataset.closes).close();
    else if (target.matches("[data-close]")) { if (close()) event.preventDefault(); }
    else if (target.matches("[role=tab]")) { select(target, false); event.preventDefault(); }
    else if (target.matches("[data-prints]")) print();
    else if (target.dataset.copies) copy(target.dataset.copies);
    else { share(target.closest("[data-share]").dataset.share, Number(target.value)); changed(); }
  });

  async function copy(from) {
    try {
      const answer = await fetch(from);
      if (!answer.ok) throw new Error(answer.statusText);
      await navigator.clipboard.writeText(await answer.text());
      say(words("copied"));
    } catch { say(words("offline"), "error"); }
  }

  const changed = () => document.dispatchEvent(new CustomEvent("desk:typed"));

  for (const name of ["input", "change"]) {
    document.addEventListener(name, (event) => {
      const field = event.target;
      if (field.name === "bills") {
        countTicked();
        if ($("#terms")) htmx.trigger("#terms", "requote");
      }
      if (!field.form || field.form.id !== "work-form") return;
      if (name === "input" && field.name === "amount") field.dataset.touched = "1";
      if (field.dataset.half && name === "change") share(field.dataset.half, 0.5);
      if (field.name === "disposition") {
        const right = field.form.elements.right_party;
        if (right) right.checked = field.dataset.right === "1";
      }
      echo(field);
      showOnlyWanted();
      changed();
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
      if (left <= 0) clock.textContent = words("moment");
      else if (hours < 48) clock.textContent = `${hours}:${two(minutes)}:${two(seconds)}`;
    }
    tellLeft();
  }
  setInterval(countDown, 1000);

  // --- htmx --------------------------------------------------------------------------------------------------------------

  const isPanel = (into) => into && /^(work|outcome|account|identity)$/.test(into.id);
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== seek) document.body.classList.add("waiting");
    const open = form(), into = event.detail.target;
    // One form at a time: opening another keeps what was typed in this one.
    if (open && into && /^(work|outcome)$/.test(into.id) && !into.contains(open)) close();
    if (isPanel(into)) ahead.hold("panel");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    document.body.classList.remove("waiting");
    const { target, successful, xhr } = event.detail;
    if (!isPanel(target)) return;
    // What was typed for what did not come means nothing here.
    if (!successful) ahead.drop();
    if (successful && xhr.getResponseHeader("HX-Redirect")) ahead.hold("page");
    if (!successful || xhr.status === 204) ahead.release("panel");
  });
  document.addEventListener("htmx:beforeSwap", holdFocus);
  document.addEventListener("htmx:afterSwap", (event) => {
    const into = event.detail.target;
    if (into === found) { if (seek) seek.setAttribute("aria-expanded", String(matches().length > 0)); return; }
    if (into.id === "quote") return;
    if (into.id === "work" || into.id === "outcome") { showPanels(); whenHeard(into, focusForm); }
    if (into.id === "account" || !into.isConnected) { setUpTabs(); showPanels(); if (form()) whenHeard(document, focusForm); }
    if (form()) document.dispatchEvent(new CustomEvent("desk:form"));
    showOnlyWanted();
    countTicked();
    settleToasts();
    findFocus();
  });
  document.addEventListener("htmx:oobAfterSwap", settleToasts);
  document.addEventListener("htmx:afterSettle", (event) => {
    findFocus();
    if (isPanel(event.detail.target)) setTimeout(() => ahead.release("panel"));
  });
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    say(words(status === 403 ? "forbidden" : status === 404 ? "gone" : "failed"), "error");
  });

  document.addEventListener("DOMContentLoaded", () => {
    setUpTabs();
    showPanels();
    showOnlyWanted();
    countTicked();
    if ($("#words")) { settleToasts(); offerAgain(); }
    if (form()) { focusForm(); document.dispatchEvent(new CustomEvent("desk:form")); }
    setTimeout(() => ahead.release("page"));
  });

  // --- the palette: open at once and takes what is typed; what it lists comes after the page, or when it is first wanted ------

  const palette = $("#palette");
  let wanted = [];
  function withPalette(then) {
    if (desk.listKeys) { then(); return; }
    wanted.push(then);
    if (wanted.length > 1) return;
    const script = Object.assign(document.createElement("script"), { src: palette.dataset.script });
    script.addEventListener("load", () => { for (const one of wanted) one(); ahead.release("palette"); });
    script.addEventListener("error", () => { wanted = []; ahead.drop(); ahead.release("palette"); palette.close(); say(words("offline"), "error"); });
    document.head.append(script);
  }
  function openPalette() {
    if ($("dialog[open]")) return;
    desk.cameFrom = document.activeElement;
    $("input", palette).value = "";
    palette.showModal();
    if (!desk.listKeys) ahead.hold("palette");
    withPalette(() => { if (palette.open) desk.fillPalette(); });
  }
  if (palette) {
    document.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.code !== "KeyK") return;
      event.preventDefault();
      if (palette.open) palette.close(); else openPalette();
    });
    document.addEventListener("click", (event) => { if (event.target.closest("[data-palette-opens]")) openPalette(); });
    addEventListener("load", () => setTimeout(() => withPalette(() => 0), 2500));
  }

  return { $, $$, account, clockOf, close, drop, form, headers, press, say, typing, visible, words };
})();
