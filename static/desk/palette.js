// Find anything by its name: what this page can do, outcomes of a call, pages, recent accounts, every account; and the
// list of keys, made of what is on the page.
"use strict";

(() => {
  const { $, $$, account, headers, press, visible, words } = desk;
  const box = $("#palette");
  if (!box) return;
  const field = $("input", box), list = $("#palette-list"), told = $("[role=status]", box);
  const MOST = 90, FRESH = 60000;
  let here = [], known = { outcomes: [], recent: [], acts: [], places: [] }, knownAt = 0, found = [], shown = [], chosen = 0, asked = 0, came = null, unreachable = false;

  // What an element does, in words: its own for the palette, else its name without keys and counts.
  function wordsOf(element) {
    if (element.dataset.palette) return element.dataset.palette;
    const copy = element.cloneNode(true);
    for (const part of $$("kbd, .tag, .count, time", copy)) part.remove();
    for (const drawing of $$("svg", copy)) drawing.replaceWith(drawing.getAttribute("aria-label") || "");
    return (element.getAttribute("aria-label") || copy.textContent).replace(/\s+/g, " ").trim() || element.title;
  }

  function groupOf(element) {
    const named = element.closest("[role=toolbar][aria-label], nav[aria-label], [data-keys], section[aria-label], section[aria-labelledby]");
    if (!named) return words(element.closest(".top") ? "desk" : "page");
    const title = document.getElementById(named.getAttribute("aria-labelledby") || "");
    return named.dataset.keys || named.getAttribute("aria-label") || (title ? title.textContent.trim() : words("page"));
  }

  // Everything that can be pressed on this page now. What is folded away is there too where it has words of its own.
  function actions() {
    const all = $$("main :is(button, a[href], summary), .top :is(button, a[href], summary), #toasts :is(button, a[href])");
    return all.filter((element) => !element.disabled && !element.closest("dialog, [hidden], [inert], .found, .shut, [data-palette-opens]") &&
        (visible(element) || (element.dataset.palette && element.closest("details:not([open])"))))
      .map((element) => ({ element, words: wordsOf(element), key: element.dataset.key || "", group: groupOf(element) }))
      .filter((action) => action.words);
  }

  function listKeys() {
    const groups = new Map();
    for (const action of actions().filter((one) => one.key)) {
      if (!groups.has(action.group)) groups.set(action.group, []);
      groups.get(action.group).push([action.words, action.key]);
    }
    const digits = $$("#outcome [data-digit]").map((choice) => [choice.closest("label").textContent.replace(/^\s*\d\s*/, "").trim(), choice.dataset.digit]);
    if (digits.length) groups.set(words("outcomes"), digits);
    const row = ([name, key]) => {
      const line = document.createElement("div");
      line.append(Object.assign(document.createElement("span"), { textContent: name }), Object.assign(document.createElement("kbd"), { textContent: key }));
      return line;
    };
    $("#keys-here").replaceChildren(...[...groups].map(([name, rows]) => {
      const part = document.createElement("section"), list = document.createElement("div");
      part.className = "stack tight";
      list.className = "keys";
      list.append(...rows.map(row));
      part.append(Object.assign(document.createElement("h3"), { textContent: name }), list);
      return part;
    }));
    $("#keys").showModal();
  }
  desk.actions = actions;
  desk.listKeys = listKeys;

  // --- the palette ------------------------------------------------------------------------------------------------------

  const plain = (text) => text.toLowerCase().normalize("NFD").replace(/\p{Mn}/gu, "");

  // How well the letters of the query stand in the words, in order; 0: they do not. Beginnings of words weigh most.
  function score(query, text) {
    const words = plain(text), whole = ` ${words}`.indexOf(` ${query}`);
    if (whole >= 0) return 1000 + (whole === 0 ? 500 : 0) - words.length / 10;
    let at = -1, points = 0, run = 0;
    for (const letter of query) {
      if (letter === " ") continue;
      const to = words.indexOf(letter, at + 1);
      if (to < 0) return 0;
      run = to === at + 1 ? run + 1 : 0;
      points += (to === 0 || /[\s:,./-]/.test(words[to - 1]) ? 12 : 1) + run * 4 - Math.min(to - at, 8) / 4;
      at = to;
    }
    return points >= query.length * 3 ? Math.max(points, 1) : 0;
  }

  function everything() {
    const log = document.querySelector("[data-key=c]");
    const outcomes = account() && log ? known.outcomes.map((one) => ({
      words: words("log", one.words), group: words("outcomes"), run: () => logAs(one.code),
    })) : [];
    const recent = known.recent.filter((one) => !account() || one.hint !== account().dataset.ref)
      .map((one) => ({ ...one, group: words("recent"), run: () => location.assign(one.href) }));
    // Pages, and acts on an account, that have no button everywhere.
    const acts = (account() ? known.acts : []).map((one) => ({
      words: one.words, group: words("page"), run: () => location.assign(`/accounts/${encodeURIComponent(account().dataset.ref)}/${one.act}/`),
    }));
    const places = known.places.map((one) => ({ ...one, group: words("goto"), run: () => location.assign(one.href) }));
    const by = (rank) => here.filter((one) => one.rank === rank);
    return [...by(0), ...acts, ...outcomes, ...recent, ...by(2), ...by(4), ...places, ...by(5), ...found];
  }

  function logAs(code) {
    const pick = () => {
      const choice = document.querySelector(`#outcome [name=disposition][value="${CSS.escape(code)}"]`);
      if (choice) { choice.click(); choice.focus(); }
      return Boolean(choice);
    };
    if (pick()) return;
    document.addEventListener("desk:form", pick, { once: true });
    press(document.querySelector("[data-key=c]"));
  }

  function render() {
    const query = plain(field.value.trim()), all = everything();
    const wanted = query
      ? all.map((one) => [one, one.found ? 400 : score(query, `${one.words} ${one.hint || ""}`)]).filter(([, points]) => points > 0)
        .sort((one, other) => other[1] - one[1]).map(([one]) => one)
      : all;
    shown = wanted.slice(0, MOST);
    chosen = Math.min(chosen, Math.max(shown.length - 1, 0));
    list.replaceChildren();
    const groups = new Map();
    if (!query) {
      for (const one of shown) groups.set(one.group, [...(groups.get(one.group) || []), one]);
      shown = [...groups.values()].flat();
    }
    let group = null, name = null;
    shown.forEach((one, place) => {
      if (!query && one.group !== name) {
        name = one.group;
        group = document.createElement("div");
        group.setAttribute("role", "group");
        group.setAttribute("aria-label", name);
        const title = Object.assign(document.createElement("h3"), { textContent: name });
        title.setAttribute("aria-hidden", "true");
        group.append(title);
        list.append(group);
      }
      const row = document.createElement("div");
      row.id = `palette-${place}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(place === chosen));
      const said = Object.assign(document.createElement("span"), { className: "clip", textContent: one.words });
      row.append(said);
      const hint = one.hint || (query ? one.group : "");
      if (hint) row.append(Object.assign(document.createElement("small"), { className: "muted clip", textContent: hint }));
      if (one.end) row.append(Object.assign(document.createElement("span"), { className: "push nowrap", textContent: one.end }));
      if (one.key) row.append(Object.assign(document.createElement("kbd"), { className: "push", textContent: one.key }));
      row.addEventListener("mousemove", () => mark(place, false));
      row.addEventListener("click", () => run(one));
      (query ? list : group).append(row);
    });
    if (!shown.length) list.append(Object.assign(document.createElement("p"), { className: "empty", textContent: words("nothing") }));
    field.setAttribute("aria-expanded", String(shown.length > 0));
    mark(chosen, true);
    told.textContent = unreachable ? words("unreachable") : words("matches", String(wanted.length));
  }

  function mark(place, scroll) {
    const old = $('[aria-selected="true"]', list), row = document.getElementById(`palette-${place}`);
    if (old) old.setAttribute("aria-selected", "false");
    chosen = place;
    if (!row) { field.removeAttribute("aria-activedescendant"); return; }
    row.setAttribute("aria-selected", "true");
    field.setAttribute("aria-activedescendant", row.id);
    if (scroll) row.scrollIntoView({ block: "nearest" });
  }

  function run(one) {
    const back = came;
    came = null;
    box.close();
    if (!one.href && back && back.isConnected && visible(back)) back.focus({ preventScroll: true });
    one.run();
  }

  async function learn() {
    if (Date.now() - knownAt < FRESH) return;
    try {
      const answer = await fetch(box.dataset.source);
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      known = await answer.json();
      knownAt = Date.now();
      unreachable = false;
    } catch { unreachable = true; }
    if (box.open) render();
  }

  async function seek() {
    const query = field.value.trim(), mine = ++asked;
    if (query.length < 2) { found = []; return; }
    try {
      const answer = await fetch(`${box.dataset.search}?q=${encodeURIComponent(query)}`, { headers: headers() });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== asked) return;
      found = [...page.querySelectorAll("a[role=option]")].map((row) => {
        const told = [...row.children].map((part) => part.textContent.trim());
        const name = row.querySelector("b"), ref = row.querySelector(".mono");
        return { words: name ? name.textContent : told[0], hint: ref ? ref.textContent : "", end: told[1] || "", group: words("accounts"), found: true, href: row.getAttribute("href"), run: () => location.assign(row.getAttribute("href")) };
      });
      unreachable = false;
    } catch { if (mine === asked) { found = []; unreachable = true; } }
    if (mine === asked && box.open) render();
  }

  function fill() {
    came = desk.cameFrom;
    const nav = words("goto");
    here = actions().map((one) => ({
      words: one.words, key: one.key, hint: "", href: "",
      rank: one.element.closest("main, #toasts") ? (one.key ? 0 : 2) : one.element.closest("nav") ? 4 : 5,
      group: one.element.closest("nav") ? nav : one.element.closest("main, #toasts") ? one.group : words("desk"),
      run: () => { if (one.element.isConnected) press(one.element); },
    }));
    // The same words twice: where they stand tells them apart.
    const times = new Map();
    for (const one of here) times.set(one.words, (times.get(one.words) || 0) + 1);
    for (const one of here) if (times.get(one.words) > 1) one.hint = one.group;
    found = [];
    chosen = 0;
    render();
    learn();
    if (field.value) seek();
  }
  desk.fillPalette = fill;

  let later = 0;
  field.addEventListener("input", () => {
    chosen = 0;
    asked += 1;
    found = [];
    render();
    clearTimeout(later);
    later = setTimeout(seek, 150);
  });
  field.addEventListener("keydown", (event) => {
    const last = shown.length - 1;
    const to = { ArrowDown: chosen === last ? 0 : chosen + 1, ArrowUp: chosen === 0 ? last : chosen - 1, PageDown: Math.min(chosen + 8, last), PageUp: Math.max(chosen - 8, 0) }[event.key];
    if (to !== undefined) { mark(to, true); event.preventDefault(); }
    if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); if (shown[chosen]) run(shown[chosen]); }
  });
  box.addEventListener("close", () => { if (came && came.isConnected && visible(came)) came.focus({ preventScroll: true }); came = null; });
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
})();
