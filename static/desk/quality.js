// Quality by keyboard: rows are opened where the focus is; a question is answered with its key, and the next one has the focus.
"use strict";

(() => {
  const card = document.querySelector("#score-card");
  const questions = card ? [...card.querySelectorAll("[data-question]")] : [];
  const typing = (element) => /^(TEXTAREA|SELECT)$/.test(element.tagName) || (element.tagName === "INPUT" && !/^(radio|checkbox)$/.test(element.type));
  const answered = (question) => question.querySelector("input[type=radio]:checked");

  // What the answers come to so far, as the server will count them.
  function tally() {
    const told = document.querySelector("#tally");
    if (!told) return;
    let reached = 0, possible = 0, failed = false, left = 0;
    for (const question of questions) {
      const answer = answered(question);
      if (!answer) { left += 1; continue; }
      if (answer.value === "na") continue;
      const weight = Number(question.dataset.weight);
      reached += weight * Number(answer.value) / Number(question.dataset.top);
      possible += weight;
      failed ||= "critical" in question.dataset && answer.value === "0";
    }
    const score = possible ? reached * 100 / possible : null;
    const passed = score !== null && score >= Number(card.dataset.pass) && !failed;
    const words = score === null ? [] : [`${Math.round(score)} %`, passed ? told.dataset.passed : told.dataset.failed];
    if (left) words.push(told.dataset.left.replace("#", left));
    told.textContent = words.join(" · ");
    told.className = `count ${score === null ? "" : passed ? "good" : "bad"}`;
  }

  function show(question) {
    question.focus({ preventScroll: true });
    question.scrollIntoView({ block: "nearest" });
  }

  function onwards(question) {
    const following = questions[questions.indexOf(question) + 1];
    if (following) show(following); else document.querySelector("#summary").focus();
  }

  document.addEventListener("keydown", (event) => {
    const row = event.target.matches && event.target.matches(".to-review [data-entry]") ? event.target : null;
    if (row && event.key === "Enter" && !event.ctrlKey && !event.metaKey) { row.querySelector("[data-open]").click(); event.preventDefault(); return; }
    if (!card || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      event.stopPropagation();
      card.querySelector("[value=finish]").click();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const inside = event.target.closest("[data-question]");
    if (typing(event.target)) {
      if (inside && (event.key === "Escape" || event.key === "Enter")) { show(inside); event.preventDefault(); event.stopPropagation(); }
      return;
    }
    const question = inside || questions.find((one) => !answered(one)) || questions[0];
    if (!question) return;
    if (event.key === "c") { question.querySelector(".said").focus(); event.preventDefault(); event.stopPropagation(); return; }
    const choice = question.querySelector(`[data-answers="${CSS.escape(event.key)}"]`);
    if (!choice) return;
    choice.checked = true;
    event.preventDefault();
    event.stopPropagation();
    tally();
    onwards(question);
  }, true);

  if (card) {
    card.addEventListener("change", tally);
    card.addEventListener("submit", (event) => {
      if (card.dataset.sent) { event.preventDefault(); return; }
      card.dataset.sent = "1";
    });
    tally();
  }
  const first = questions.find((one) => !answered(one)) || questions[0] || document.querySelector(".to-review [data-entry]");
  if (first && (document.activeElement === document.body || document.activeElement === null)) first.focus({ preventScroll: true });
})();
