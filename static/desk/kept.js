// Half-typed work is never lost: on this device with every letter, at the desk every few seconds, offered again after a
// crash; and what is saved while the desk cannot be reached waits in sight and is sent once. Card numbers are never
// kept, nothing stays for the next person at this device.
"use strict";

(() => {
  const { $, $$, account, clockOf, drop, form, headers, say, words } = desk;
  const KEEP_EVERY = 5000, HEARTBEAT = 120000, SHIFT = 12 * 3600 * 1000, TRY_AGAIN = 15000;
  const user = document.body.dataset.user;
  const PASSING = /^(csrfmiddlewaretoken|item|then)$/;
  let dirty = false, lastBeat = Date.now();

  // --- cards: digits in groups that an issuer's length and check digit make a number, but for the last four -------------

  const isCard = (digits) => {
    if (!/^(3[04-9]|4|5|6|2[2-7]|8[12])/.test(digits) || /^(.)\1+$/.test(digits)) return false;
    let sum = 0;
    [...digits].reverse().forEach((digit, place) => { const twice = Number(digit) * (place % 2 ? 2 : 1); sum += twice > 9 ? twice - 9 : twice; });
    return sum % 10 === 0;
  };
  function masked(text) {
    const without = text.replace(/\d(?:[\s.\-_\u2010-\u2014\u200b]{0,3}\d){12,18}(?!\d)/g, (found) => {
      const digits = found.replace(/\D/g, "");
      for (const length of [16, 15, 14, 19, 18, 17, 13]) {
        for (let first = 0; first + length <= digits.length; first++) {
          if (!isCard(digits.slice(first, first + length))) continue;
          let at = -1;
          return found.replace(/\d/g, (digit) => { at += 1; return at >= first && at < first + length - 4 ? "*" : digit; });
        }
      }
      return found;
    });
    const behind = without.replace(/(\*[\s\S]{0,3}\d{4}\W{0,3}(?:\d{1,2}\s?\/\s?(?:\d{4}|\d{2})\W{1,3})?)(\d{3,4})(?![\d/.\-])/g, (all, before, code) => before + "*".repeat(code.length));
    return behind.replace(/\b((?:cvv2?|cvc2?|cvn|security code|card code)(?: code| number)?[\s:#=.\-]*(?:is )?)(\d{3,4})(?!\d)/gi, (all, before, code) => before + "*".repeat(code.length));
  }

  // --- this device ---------------------------------------------------------------------------------------------------------

  const DRAFT = "desk draft", QUEUE = "desk queue";
  const draftKey = (ref, act) => `${DRAFT} ${user} ${ref} ${act}`;
  function read(key) { try { return JSON.parse(localStorage.getItem(key) || "null"); } catch { return null; } }
  function write(key, value) {
    try { if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, JSON.stringify(value)); } catch { /* full, or forbidden: the desk keeps it */ }
  }
  const ours = () => Object.keys(localStorage).filter((key) => key.startsWith("desk "));

  // What another left here is nobody's any more, and what is older than a shift nobody's business.
  for (const key of ours()) {
    const kept = read(key), mine = key.split(" ")[2] === user;
    if (!mine || (key.startsWith(DRAFT) && (!kept || Date.now() - kept.at > SHIFT))) write(key, null);
  }

  const textual = (field) => /^(TEXTAREA)$/.test(field.tagName) || (field.tagName === "INPUT" && /^(text|search|tel|email|)$/.test(field.type));

  // What stands in a form: [name, value] for everything that is typed or chosen, card numbers masked.
  function typedIn(open) {
    const named = new Set([...open.elements].filter(textual).map((field) => field.name));
    return [...new FormData(open)].filter(([name, value]) => !PASSING.test(name) && typeof value === "string")
      .map(([name, value]) => [name, named.has(name) ? masked(value) : value]);
  }
  const same = (one, other) => {
    const plain = (typed) => JSON.stringify(typed.filter(([name, value]) => name !== "once" && value !== "").sort());
    return plain(one) === plain(other);
  };

  function keepHere() {
    const open = form();
    if (!open || !account() || open.hasAttribute("data-unkept")) return;
    write(draftKey(account().dataset.ref, open.dataset.act), { at: Date.now(), typed: typedIn(open), synced: false });
  }

  document.addEventListener("desk:typed", () => { dirty = true; keepHere(); });

  // --- the desk: the lease, and the draft for whoever goes on -----------------------------------------------------------------

  async function keepNow() {
    const page = account(), open = form();
    if (!page || !page.dataset.keep) return;
    const keeps = open && dirty && !open.hasAttribute("data-unkept"), act = open && open.dataset.act;
    const typed = new FormData();
    if (keeps) {
      for (const [name, value] of typedIn(open)) typed.append(name, value);
      typed.set("act", act);
    }
    typed.set("item", page.dataset.item);
    dirty = false;
    lastBeat = Date.now();
    const told = $("#kept");
    try {
      const answer = await fetch(page.dataset.keep, { method: "POST", body: typed, headers: headers() });
      if (answer.redirected) { dirty = Boolean(keeps); return; }
      if (answer.status === 409) {
        delete page.dataset.keep;
        const { lost } = await answer.json();
        say(lost, "error", [words("again"), `/accounts/${page.dataset.ref}/`]);
        if (told) told.textContent = words("notyours");
      } else if (answer.ok && keeps) {
        const key = draftKey(page.dataset.ref, act), kept = read(key);
        if (kept) write(key, { ...kept, synced: !dirty });
        if (told) told.textContent = words("kept");
      }
    } catch {
      if (keeps) { dirty = true; if (told) told.textContent = words("kepthere"); }
    }
  }
  desk.keepNow = keepNow;

  setInterval(() => { if (dirty || Date.now() - lastBeat > HEARTBEAT) keepNow(); }, KEEP_EVERY);
  addEventListener("online", () => { if (dirty) keepNow(); });

  // --- offered after a crash ----------------------------------------------------------------------------------------------------

  function lay(open, typed) {
    const values = new Map();
    for (const [name, value] of typed) values.set(name, [...(values.get(name) || []), value]);
    for (const field of [...open.elements]) {
      if (!field.name || PASSING.test(field.name)) continue;
      const given = values.get(field.name);
      if (/^(checkbox|radio)$/.test(field.type)) {
        const chosen = Boolean(given && given.includes(field.value));
        if (field.checked !== chosen) { field.checked = chosen; field.dispatchEvent(new Event("change", { bubbles: true })); }
      } else if (given && field.type !== "file" && field.value !== given[0]) {
        field.value = given[0];
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.dispatchEvent(new Event("change", { bubbles: true }));
      }
    }
  }

  const button = (name, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "btn small", textContent: name });
    made.addEventListener("click", act);
    return made;
  };

  let restoreNext = "";
  function offer() {
    const open = form(), page = account();
    if (!open || !page || $("[data-offer]", open)) return;
    const key = draftKey(page.dataset.ref, open.dataset.act), kept = read(key);
    if (!kept || same(kept.typed, typedIn(open))) { restoreNext = ""; return; }
    const restore = () => { lay(open, kept.typed); const note = $("[data-offer]", open); if (note) note.remove(); desk.focusField(open); };
    if (restoreNext === key) { restoreNext = ""; restore(); return; }
    const note = document.createElement("div");
    note.className = "note";
    note.dataset.offer = "";
    note.setAttribute("role", "status");
    const told = document.createElement("div");
    told.className = "row wrap spread";
    const both = Object.assign(document.createElement("span"), { className: "row" });
    both.append(button(words("restore"), restore), button(words("discard"), () => { write(key, null); note.remove(); desk.focusField(open); }));
    told.append(words("typing", clockOf(kept.at)), both);
    note.append(told);
    open.prepend(note);
  }
  desk.focusField = (open) => {
    const field = $("[data-first]", open) || $("input:not([type=hidden], [type=radio], [type=checkbox]), select, textarea", open);
    if (field) field.focus();
  };
  document.addEventListener("desk:form", offer);

  // On an account that was open when everything went dark: what was typed there and never reached the desk.
  function offerHere() {
    const page = account();
    if (!page) return;
    for (const key of ours().filter((one) => one.startsWith(`${DRAFT} ${user} ${page.dataset.ref} `))) {
      const kept = read(key), act = key.split(" ").pop();
      if (!kept || kept.synced || (form() && form().dataset.act === act)) continue;
      const opens = $(`[hx-get$="/${CSS.escape(act)}/"]`);
      const name = opens ? opens.textContent.replace(/\s+/g, " ").replace(/ [a-z]$/, "").trim() : act;
      say(words("typed", clockOf(kept.at), name), "info",
        opens ? [words("restore"), (toast) => { restoreNext = key; drop(toast); desk.press(opens); }, "f"]
          : [words("copy"), () => navigator.clipboard.writeText(kept.typed.filter(([part]) => part !== "once").map(([, value]) => value).join("\n"))],
        [words("discard"), (toast) => { write(key, null); drop(toast); }]);
    }
  }

  // --- saved while the desk cannot be reached: waits in sight, is sent once ----------------------------------------------------------

  const waiting = () => read(`${QUEUE} ${user}`) || [];
  function setWaiting(list) { write(`${QUEUE} ${user}`, list.length ? list : null); showWaiting(); }

  function showWaiting() {
    const list = waiting();
    for (const toast of $$("#toasts [data-waits]")) if (!list.some((one) => one.id === toast.dataset.waits)) drop(toast);
    for (const one of list) {
      if ($(`#toasts [data-waits="${one.id}"]`)) continue;
      const toast = say(words("waits", one.what, clockOf(one.at)), "warning",
        [words("sendnow"), () => send()],
        [words("takeback"), () => { setWaiting(waiting().filter((other) => other.id !== one.id)); unlock(one); }]);
      toast.dataset.waits = one.id;
    }
    const open = form();
    if (open) open.inert = list.some((one) => one.action === open.getAttribute("action"));
  }

  function unlock(one) {
    const open = form();
    if (open && open.getAttribute("action") === one.action) { open.inert = false; desk.focusField(open); }
  }

  document.addEventListener("htmx:sendError", (event) => {
    const open = event.target.id === "work-form" ? event.target : null;
    if (!open || event.detail.requestConfig.verb !== "post" || $("input[type=file]", open)) { say(words("offline"), "error"); return; }
    const texts = new Set([...open.elements].filter(textual).map((field) => field.name));
    const body = new URLSearchParams();
    for (const [name, value] of event.detail.requestConfig.formData) {
      if (name !== "csrfmiddlewaretoken" && typeof value === "string") body.append(name, texts.has(name) ? masked(value) : value);
    }
    keepHere();
    const id = body.get("once") || String(Date.now()), page = account();
    const title = $("h2", open.closest(".card") || open) || $("h2", open);
    const what = `${title ? title.textContent.trim() : open.dataset.act}, ${page ? page.dataset.ref : ""}`;
    const one = { id, at: Date.now(), action: open.getAttribute("action"), body: body.toString(), what, ref: page && page.dataset.ref, act: open.dataset.act };
    setWaiting([...waiting().filter((other) => other.id !== id), one]);
  });

  let sending = false;
  async function send() {
    if (sending || !waiting().length) return;
    sending = true;
    try {
      if (navigator.locks) await navigator.locks.request(QUEUE, { ifAvailable: true }, async (lock) => { if (lock) await sendAll(); });
      else await sendAll();
    } finally { sending = false; }
  }

  async function sendAll() {
    for (const one of waiting()) {
      let answer;
      try {
        answer = await fetch(one.action, { method: "POST", body: new URLSearchParams(one.body), headers: headers() });
      } catch { return; }
      if (answer.redirected || answer.status === 403) { say(words("signin"), "error"); return; }
      if (answer.status >= 500) return;
      const page = account(), here = page && page.dataset.ref === one.ref;
      setWaiting(waiting().filter((other) => other.id !== one.id));
      if (answer.ok) {
        write(draftKey(one.ref, one.act), null);
        say(words("sent", one.what), "success");
        const onward = answer.headers.get("HX-Redirect");
        if (here) { if (onward) location.assign(onward); else htmx.ajax("GET", `/accounts/${one.ref}/`, { target: "#account", swap: "outerHTML" }); }
      } else {
        const told = new DOMParser().parseFromString(await answer.text(), "text/html");
        const why = [...told.querySelectorAll("[role=alert], .errors")].map((part) => part.textContent.replace(/\s+/g, " ").trim()).join(" ");
        say(words("notsent", `${one.what}. ${why}`), "error", ...(here ? [] : [[words("open"), `/accounts/${one.ref}/`]]));
        if (here) unlock(one);
      }
    }
  }
  addEventListener("online", send);
  setInterval(() => { if (navigator.onLine) send(); }, TRY_AGAIN);

  // --- done with: saved, or gone home ---------------------------------------------------------------------------------------------------

  document.addEventListener("htmx:afterRequest", (event) => {
    const config = event.detail.requestConfig, open = config.elt;
    if (!open || open.id !== "work-form" || config.verb !== "post" || !event.detail.xhr) return;
    const status = event.detail.xhr.status, page = account();
    if (status >= 200 && status < 300 && page) { write(draftKey(page.dataset.ref, open.dataset.act), null); dirty = false; }
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (/^(work|outcome|account)$/.test(event.detail.target.id)) dirty = false; });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-leaves]")) return;
    if (waiting().length && !event.target.dataset.sure) {
      event.preventDefault();
      event.target.dataset.sure = "1";
      say(words("unsent"), "error");
      return;
    }
    for (const key of ours()) write(key, null);
    sessionStorage.clear();
  });

  document.addEventListener("DOMContentLoaded", () => { offer(); offerHere(); showWaiting(); send(); });
})();
