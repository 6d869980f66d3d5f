// The two charts of the supervisors' page; each has its figures as a table below.
"use strict";

(() => {
  const given = JSON.parse(document.getElementById("charts")?.textContent || "null");
  if (!given || !window.Chart) return;
  const drawn = [];

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const probe = document.createElement("span");
    document.body.append(probe);
    const colour = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
    const ink = colour("--muted"), line = colour("--line"), main = colour("--part-1"), other = colour("--part-2");
    const money = new Intl.NumberFormat("en", { style: "currency", currency: given.currency, notation: "compact" });
    Chart.defaults.font.family = style.fontFamily;
    Chart.defaults.font.size = 12;
    Chart.defaults.color = ink;
    const options = (stacked) => ({
      animation: false, maintainAspectRatio: false, responsive: true,
      plugins: {
        legend: { display: stacked, position: "bottom", labels: { boxWidth: 8, boxHeight: 8 } },
        tooltip: { callbacks: { label: (point) => `${point.dataset.label}: ${money.format(point.raw)}` } },
      },
      scales: {
        x: { stacked, grid: { display: false }, border: { color: line }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
        y: { stacked, grid: { color: line }, border: { display: false }, ticks: { maxTicksLimit: 5, callback: (value) => money.format(value) } },
      },
    });
    while (drawn.length) drawn.pop().destroy();
    const bars = { borderRadius: 3, maxBarThickness: 48 };
    drawn.push(new Chart(document.getElementById("buckets-chart"), {
      type: "bar",
      data: { labels: given.buckets.labels, datasets: [{ label: "Overdue", data: given.buckets.values, backgroundColor: main, ...bars }] },
      options: options(false),
    }));
    drawn.push(new Chart(document.getElementById("collected-chart"), {
      type: "bar",
      data: {
        labels: given.collected.labels,
        datasets: [
          { label: "On open cases", data: given.collected.in_collections, backgroundColor: main, ...bars },
          { label: "Other", data: given.collected.values, backgroundColor: other, ...bars },
        ],
      },
      options: options(true),
    }));
    probe.remove();
  }

  draw();
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
