"use strict";
// Sorting: every header of a sortable table becomes a button.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "descending" ||
        (!head.hasAttribute("aria-sort") && head.classList.contains("text"));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.value ?? "";
      const text = head.classList.contains("text");
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const order = text ? key(a).localeCompare(key(b)) : Number(key(a)) - Number(key(b));
        return falling ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
// Zooming: runs over time share a window of cycles.
const runs = [...document.querySelectorAll("svg[data-span]")];
if (runs.length) {
  const span = Number(runs[0].dataset.span);
  let low = 0, high = span;
  const compact = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const output = document.querySelector("#window");
  const ticks = runs.map((run) => run.querySelector(".ticks"));
  // Names of layers, in the boxes that have room for them.
  const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const names = runs.map((run) => run.appendChild(svg("g")));
  names.forEach((group) => group.setAttribute("aria-hidden", "true"));
  function label() {
    runs.forEach((run, i) => {
      names[i].replaceChildren();
      const pixels = run.getBoundingClientRect().width / (high - low);
      for (const box of run.querySelectorAll("rect[data-name]")) {
        const begin = Math.max(low, box.x.baseVal.value);
        const end = Math.min(high, box.x.baseVal.value + box.width.baseVal.value);
        if ((end - begin) * pixels < 8 * box.dataset.name.length + 8) continue;
        const text = svg("text");
        text.setAttribute("class", `middle layer-name ${box.classList}`);
        text.setAttribute("x", `${(100 * ((begin + end) / 2 - low)) / (high - low)}%`);
        text.setAttribute("y", "17");
        text.textContent = box.dataset.name;
        names[i].append(text);
      }
    });
  }
  addEventListener("resize", label);
  const bottom = ticks.map((group) => group.querySelector("text")?.getAttribute("y") ?? "0");
  function show() {
    const width = high - low;
    for (const inner of document.querySelectorAll("svg.zooms")) {
      inner.setAttribute("viewBox", `${low} 0 ${width} 1000`);
    }
    const raw = width / 4;
    const unit = 10 ** Math.floor(Math.log10(raw));
    const step = Math.max(1, [1, 2, 5, 10].map((f) => f * unit).find((s) => s >= raw));
    ticks.forEach((group, i) => {
      group.replaceChildren();
      for (let at = Math.ceil(low / step) * step; at <= high; at += step) {
        const text = svg("text");
        text.setAttribute("class", "below");
        text.setAttribute("x", `${(100 * (at - low)) / width}%`);
        text.setAttribute("y", bottom[i]);
        text.textContent = compact.format(at);
        group.append(text);
      }
    });
    label();
    output.textContent = `cycles ${compact.format(low)} … ${compact.format(high)}`;
  }
  function zoom(factor, at = (low + high) / 2) {
    const width = Math.min(span, Math.max(20, (high - low) * factor));
    const share = (at - low) / (high - low);
    low = Math.round(Math.min(span - width, Math.max(0, at - share * width)));
    high = Math.round(low + width);
    show();
  }
  function move(share) {
    const by = Math.round((high - low) * share);
    const shift = Math.max(-low, Math.min(span - high, by));
    low += shift; high += shift;
    show();
  }
  const actions = { in: () => zoom(0.5), out: () => zoom(2), left: () => move(-0.4), right: () => move(0.4),
    all: () => { low = 0; high = span; show(); } };
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", actions[button.dataset.zoom]);
  }
  document.querySelector("#zoom").hidden = false;
  label();
  for (const run of runs) {
    run.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const box = run.getBoundingClientRect();
      zoom(event.deltaY > 0 ? 1.3 : 1 / 1.3, low + ((event.clientX - box.left) / box.width) * (high - low));
    }, { passive: false });
    let from = null;
    run.addEventListener("pointerdown", (event) => { from = event.clientX; run.setPointerCapture(event.pointerId); });
    run.addEventListener("pointerup", () => { from = null; });
    run.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const share = (from - event.clientX) / run.getBoundingClientRect().width;
      if (Math.abs(share) * (high - low) >= 1) { move(share); from = event.clientX; }
    });
  }
}
