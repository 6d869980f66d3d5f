// Bars and lines of the supervisors' pages, drawn from the page's own JSON; each has its figures as a table below.
//   {"currency": "EUR", "charts": {"<id of a canvas>": {"kind": "bar", "stacked": true, "unit": "money",
//     "labels": ["1-30"], "series": [{"label": "1-30", "values": [12.5], "part": 1}]}}}
"use strict";

(() => {
  const given = JSON.parse(document.getElementById("charts")?.textContent || "null");
  if (!given || !window.Chart) return;
  const tongue = document.documentElement.lang || "en";
  const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4]];
  const drawn = [];

  const plain = new Intl.NumberFormat(tongue, { maximumFractionDigits: 1 });
  // In place of labels a chart may have days, which are written in the language of the page.
  const month = new Intl.DateTimeFormat(tongue, { month: "short", timeZone: "UTC" });
  const both = new Intl.DateTimeFormat(tongue, { day: "numeric", month: "short", timeZone: "UTC" });
  const short = { format: (day) => tongue === "en" ? `${day.getUTCDate()} ${month.format(day)}` : both.format(day) };
  const labels = (chart) => chart.days ? chart.days.map((day) => short.format(new Date(`${day}T00:00:00Z`))) : chart.labels;
  const money = given.currency ? new Intl.NumberFormat(tongue, { style: "currency", currency: given.currency, notation: "compact" }) : plain;
  const written = (unit) => (value) => {
    if (value === null) return "–";
    return unit === "money" ? money.format(value) : unit === "%" ? `${plain.format(value)} %` : plain.format(value);
  };

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const probe = document.createElement("span");
    document.body.append(probe);
    const colour = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
    const line = colour("--line");
    Chart.defaults.font.family = style.fontFamily;
    Chart.defaults.font.size = 12;
    Chart.defaults.color = colour("--muted");
    while (drawn.length) drawn.pop().destroy();
    for (const [id, chart] of Object.entries(given.charts)) {
      const canvas = document.getElementById(id);
      if (!canvas) continue;
      const write = written(chart.unit);
      const datasets = chart.series.map((one, place) => {
        const paint = colour(`--part-${one.part || (place % 6) + 1}`);
        const common = { label: one.label, data: one.values, backgroundColor: paint };
        if (chart.kind === "bar") return { ...common, borderRadius: chart.stacked ? 0 : 3, maxBarThickness: 48 };
        // Lines differ by their dashes too, not by colour alone.
        return { ...common, borderColor: paint, borderWidth: 2, borderDash: dashes[place % 6], fill: chart.stacked ? "stack" : false,
          pointRadius: one.values.length > 31 ? 0 : one.values.length > 14 ? 1.5 : 3, pointHitRadius: 8, tension: 0, spanGaps: true };
      });
      drawn.push(new Chart(canvas, {
        type: chart.kind,
        data: { labels: labels(chart), datasets },
        options: {
          animation: false, maintainAspectRatio: false, responsive: true, indexAxis: chart.lying ? "y" : "x",
          interaction: { mode: "index", intersect: false, axis: chart.lying ? "y" : "x" },
          plugins: {
            legend: { display: datasets.length > 1, position: "bottom", labels: chart.kind === "bar" ? { boxWidth: 8, boxHeight: 8 } : { usePointStyle: true, pointStyle: "line", pointStyleWidth: 28 } },
            tooltip: { callbacks: { label: (point) => `${point.dataset.label}: ${write(point.raw)}` } },
          },
          scales: {
            x: { stacked: Boolean(chart.stacked), grid: { display: false }, border: { color: line }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
            y: { stacked: Boolean(chart.stacked), beginAtZero: chart.kind === "bar" || Boolean(chart.from_zero), grid: { color: line }, border: { display: false },
              ticks: { maxTicksLimit: 5, callback: write } },
          },
        },
      }));
    }
    probe.remove();
  }

  draw();
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
