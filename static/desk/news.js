// What happens meanwhile: callbacks, a lost account, decisions, a crisis; and what is new on the open account. Asked for
// while somebody looks, seldom while nobody does, and less and less often while the desk cannot be reached.
"use strict";

(() => {
  const { $, $$, account, drop, headers, say, words } = desk;
  const EVERY = 15000, LONGEST = 240000;
  const source = document.body.dataset.news;
  if (!source) return;
  let wait = EVERY, later = 0, running = false;

  const toldOf = () => JSON.parse(sessionStorage.getItem("news") || "[]");
  function tell(one, level) {
    if (!one || toldOf().includes(one.id)) return;
    sessionStorage.setItem("news", JSON.stringify([...toldOf().slice(-60), one.id]));
    const here = location.pathname === one.href;
    if (here && level !== "error") say(one.text, level);
    else say(one.text, level, here ? [words("again"), one.href] : [words("open"), one.href, "g"]);
  }

  async function ask() {
    const page = account(), held = page && page.dataset.keep ? `?item=${page.dataset.item}` : "";
    const answer = await fetch(source + held, { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
    const news = await answer.json();
    tell(news.crisis, "error");
    tell(news.ringing, "warning");
    if (news.lost) {
      tell(news.lost, "error");
      if (page) { delete page.dataset.keep; const kept = $("#kept"); if (kept) kept.textContent = words("notyours"); }
    }
    for (const one of news.callbacks) tell(one, "info");
    for (const one of news.decided) tell(one, "info");
    // A word from a supervisor stays, on every page, until somebody says that they saw it.
    for (const one of news.messages) {
      if ($(`[data-message="${one.id}"]`)) continue;
      const saw = (toast) => fetch(one.seen, { method: "POST", headers: headers() }).then(() => drop(toast));
      say(one.text, "info", [one.offer, saw]).dataset.message = one.id;
    }
  }

  // The header and the timeline anew, without moving what somebody reads or where the focus is.
  async function refresh() {
    const page = account();
    if (!page) return;
    const tab = $("#timeline-head [aria-current]"), shown = new URLSearchParams(tab ? tab.getAttribute("href").split("?")[1] : "");
    if (page.dataset.lastEvent) shown.set("after", page.dataset.lastEvent);
    const answer = await fetch(`/accounts/${encodeURIComponent(page.dataset.ref)}/news/?${shown}`, { headers: headers() });
    if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
    if (answer.headers.get("X-After")) page.dataset.lastEvent = answer.headers.get("X-After");
    if (answer.status === 204) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const seen = document.activeElement;
    for (const [old, part] of [[$(".strip", page), fresh.querySelector(".strip")], [$("#timeline-card", page), fresh.querySelector("#timeline-card")]]) {
      if (!old || !part) continue;
      if (old.matches("#timeline-card")) laySofter(old, part);
      else if (!old.contains(seen)) { old.replaceWith(part); htmx.process(part); }
    }
  }
  desk.refresh = refresh;

  function laySofter(old, part) {
    const list = $("#timeline", old), fresh = part.querySelector("#timeline");
    if (!list || !fresh) return;
    const rows = $$("[data-entry]", list), at = rows.indexOf(document.activeElement);
    const from = rows.length - at, top = list.scrollTop, tall = list.scrollHeight;
    list.replaceChildren(...fresh.childNodes);
    htmx.process(list);
    if (top) list.scrollTop = top + list.scrollHeight - tall;
    const again = $$("[data-entry]", list);
    if (at >= 0) (again[again.length - from] || again[0]).focus({ preventScroll: true });
  }

  async function round() {
    if (running) return;
    running = true;
    clearTimeout(later);
    try {
      if (!document.hidden && navigator.onLine) { await ask(); await refresh(); wait = EVERY; }
      else wait = Math.min(wait * 2, LONGEST);
    } catch { wait = Math.min(wait * 2, LONGEST); }
    running = false;
    later = setTimeout(round, wait);
  }
  const soon = () => { if (!document.hidden) { wait = EVERY; clearTimeout(later); later = setTimeout(round, 300); } };
  document.addEventListener("visibilitychange", soon);
  addEventListener("online", soon);
  later = setTimeout(round, 2000);
})();
