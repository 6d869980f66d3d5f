// Keys typed ahead wait while a page or a panel is on its way, and are played once it hears them. Escape takes them back.
"use strict";

const ahead = (() => {
  const KEPT = "ahead", FRESH = 4000, PATIENCE = 5000;
  const coming = new Map();
  const there = JSON.parse(sessionStorage.getItem(KEPT) || "null");
  sessionStorage.removeItem(KEPT);
  let waiting = there && Date.now() - there.at < FRESH ? there.keys : [];

  addEventListener("keydown", (event) => {
    const { key, code, ctrlKey, metaKey, shiftKey, altKey } = event, command = ctrlKey || metaKey;
    if (!event.isTrusted || event.isComposing || altKey || event.target.type === "password" || !(coming.size || waiting.length)) return;
    // Only the browser moves by Tab and arrows: what came before one goes no further.
    if (/^(Escape|Tab|Backspace|Arrow)/.test(key)) waiting = [];
    if (key.length > 1 ? key !== "Enter" : command && !/[kz]/i.test(key)) return;
    if (!event.repeat) waiting.push({ key, code, ctrlKey, metaKey, shiftKey });
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  // What the browser would have done with a key that nothing on the page took.
  function play(typed) {
    const at = document.activeElement || document.body, { key } = typed;
    if (!at.dispatchEvent(new KeyboardEvent("keydown", { ...typed, bubbles: true, cancelable: true })) || typed.ctrlKey || typed.metaKey) return;
    const text = at.matches("textarea");
    if (at.matches(key === " " ? "button, summary, [type=checkbox], [type=radio]" : "button, summary, a") && /^( |Enter)$/.test(key)) at.click();
    else if (key !== "Enter") document.execCommand("insertText", false, key);
    else if (at.form && !text) at.form.requestSubmit();
    else if (text) document.execCommand("insertLineBreak");
  }

  function pump() { while (waiting.length && !coming.size) play(waiting.shift()); }
  function drop() { waiting = []; }
  function hold(what, patience = PATIENCE) {
    clearTimeout(coming.get(what));
    coming.set(what, setTimeout(() => { drop(); release(what); }, patience));
  }
  function release(what) { clearTimeout(coming.get(what)); coming.delete(what); pump(); }

  // A telephone number or a file is followed, and the page stays.
  let stays = false;
  addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    stays = Boolean(link && (!link.protocol.startsWith("http") || link.hasAttribute("download")));
    setTimeout(() => { stays = false; });
  }, true);
  addEventListener("beforeunload", () => { if (!stays) hold("page"); });
  addEventListener("submit", (event) => { if (!event.defaultPrevented) hold("page"); });
  addEventListener("pagehide", () => { if (waiting.length) sessionStorage.setItem(KEPT, JSON.stringify({ at: Date.now(), keys: waiting })); });
  addEventListener("pageshow", (event) => { if (event.persisted) { drop(); release("page"); } });

  hold("page");
  return { drop, hold, release };
})();
