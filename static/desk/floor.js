// The live floor: parts of the page are pushed as they change; asked for every ten seconds where no stream is to be had.
// Nothing is read out by itself: one sentence on demand. Pausing stops it, and so does a page that nobody looks at.
"use strict";

(() => {
  const floor = document.getElementById("floor");
  const { $, $$ } = desk;
  const POLLS = 10000, HIDDEN = 30000;
  const again = Number(floor.dataset.again) * 1000;
  let source = null, polling = 0, refused = 0, sleeping = 0, paused = false;

  const part = (name) => $(`[data-part="${name}"]`, floor);
  const known = () => $$("[data-part]", floor).map((one) => `${one.dataset.part}.${one.dataset.digest}`).join(",");
  const at = (address) => `${address}?known=${encodeURIComponent(known())}`;

  function state(name, tone) {
    const light = $("[data-state]", floor);
    light.textContent = floor.dataset[name];
    light.className = `light ${tone}`;
  }

  // The part anew; whoever has the focus in it keeps it, and what was scrolled stays where it is.
  function put(parts) {
    for (const [name, fresh] of Object.entries(parts)) {
      const old = part(name);
      if (!old || old.dataset.digest === fresh.digest) continue;
      const seen = document.activeElement, held = old.contains(seen) && seen.getAttribute("href");
      const scrolled = $$(".scroll", old).map((one) => one.scrollTop);
      const laid = new DOMParser().parseFromString(fresh.html, "text/html").body;
      const before = new Set($$("tr, li", old).map(saying));
      for (const row of $$("tr, li", laid)) if (!before.has(saying(row))) row.classList.add("fresh");
      if (!$(".fresh", laid)) old.classList.add("fresh");
      const was = old.contains(seen);
      old.replaceChildren(...laid.childNodes);
      old.dataset.digest = fresh.digest;
      $$(".scroll", old).forEach((one, place) => { one.scrollTop = scrolled[place] || 0; });
      if (was) (held && $(`a[href="${CSS.escape(held)}"]`, old) || $(".scroll, a", old) || $("#main")).focus({ preventScroll: true });
    }
    tick();
  }

  // What a row says, whatever its clocks have come to.
  const saying = (row) => row.innerHTML.replace(/<time[^>]*data-since="([^"]*)"[^>]*>[^<]*/g, "$1");

  function tick() {
    for (const clock of $$("[data-since]", floor)) {
      const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(clock.dataset.since)) / 60000));
      const hours = Math.floor(minutes / 60);
      const told = hours < 1 ? floor.dataset.minutes.replace("#", minutes)
        : hours < 24 ? floor.dataset.hours.replace("#1", hours).replace("#2", minutes % 60) : "";
      if (told && clock.textContent !== told) { clock.title = clock.title || clock.textContent; clock.textContent = told; }
    }
  }

  // --- how it comes ----------------------------------------------------------------------------------------------------

  function stop() {
    if (source) source.close();
    source = null;
    clearTimeout(polling);
  }

  function listen() {
    stop();
    if (paused) return;
    source = new EventSource(at(floor.dataset.stream));
    source.addEventListener("open", () => state("live", "good"));
    source.addEventListener("message", (event) => put(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      // A stream that ended is opened again by the browser itself; one that was refused is not.
      if (source.readyState !== EventSource.CLOSED) { state("lost", "warn"); return; }
      source = null;
      refused = Date.now();
      poll();
    });
  }

  async function poll() {
    clearTimeout(polling);
    try {
      const answer = await fetch(at(floor.dataset.now), { headers: { Accept: "application/json" } });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      if (answer.status !== 204) put(await answer.json());
      state("polls", "warn");
      // Asked for again where there is room by now, and not at once.
      if (answer.headers.get("X-Stream") === "room" && Date.now() - refused > again && !paused) { listen(); return; }
    } catch { state("lost", "bad"); }
    if (!paused) polling = setTimeout(poll, POLLS);
  }

  $("[data-pause]", floor).addEventListener("click", (event) => {
    paused = !paused;
    event.currentTarget.setAttribute("aria-pressed", String(paused));
    if (paused) { stop(); state("paused", ""); } else listen();
  });

  // One sentence, when it is asked for.
  $("[data-say]", floor).addEventListener("click", () => {
    const told = $("[data-said]", floor);
    told.hidden = false;
    told.textContent = "";
    setTimeout(() => { told.textContent = $("[data-summary]", floor).textContent; }, 50);
  });

  document.addEventListener("visibilitychange", () => {
    clearTimeout(sleeping);
    if (document.hidden) sleeping = setTimeout(stop, HIDDEN);
    else if (!paused && !(source && source.readyState === EventSource.OPEN)) listen();
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  setInterval(tick, 5000);
  tick();
  listen();
})();
