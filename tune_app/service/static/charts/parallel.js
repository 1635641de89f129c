// Parallel coordinates: a line for each trial, an axis for each parameter. A range that is
// brushed on an axis is a filter of the table.

import { isWithin } from "./parallel_axis.js";
import { isLogMetric, metricScale } from "./scales.js";
import {
  caption,
  drawingBox,
  line,
  path,
  rowsOf,
  shortened,
  shortNumber,
  showEmpty,
  svgNode,
  text,
  throughPoints,
  tooltip,
} from "./svg.js";

const HEIGHT = 310;
const TOP = 34;
const BOTTOM = 276;
const MISSING = BOTTOM + 16; // where a trial has no such parameter
const SIDE = 52;
const AXIS_WIDTH = 92; // the least; a narrow page scrolls
const TONES = 5; // of the objective, from the worst to the best
const SPREAD = 18; // pixels around a category, so that lines do not lie on each other
const KEY_STEP = 0.05;
const SMALLEST_BRUSH = 0.015; // a click, not a drag

const heightOf = (share) => (share === null ? MISSING : BOTTOM - share * (BOTTOM - TOP));

// Spreads the lines that pass the same category, best ones on top of it.
const spreadOver = (axis, shares) => {
  const heights = shares.map(heightOf);
  if (!axis.categories.length) return heights;
  const room = Math.min(SPREAD, (BOTTOM - TOP) / (2 * axis.categories.length));
  for (const share of new Set(shares)) {
    const places = [...shares.keys()].filter((place) => shares[place] === share);
    for (const [order, place] of places.entries())
      heights[place] += places.length > 1 ? (order / (places.length - 1) - 0.5) * room : 0;
  }
  return heights;
};

const describe = (row, data) => {
  const values = data.parallel.axes.map(
    ({ name }) => `${name} ${row.values[name] === null ? "–" : row.values[name]}`,
  );
  return [row.trial, `${data.label} ${shortNumber(row.value)}`, ...values].join("\n");
};

// Returns rows from the best to the worst, each with a height for every axis.
const placeLines = (data, brushes) => {
  const { axes, lines } = data.parallel;
  const { shares, ...columns } = lines;
  const heights = new Map(axes.map((axis) => [axis.name, spreadOver(axis, shares[axis.name])]));
  return rowsOf(columns).map((row, place) => ({
    ...row,
    heights: axes.map(({ name }) => heights.get(name)[place]),
    values: Object.fromEntries(
      axes.map((axis) => [axis.name, axis.describe(shares[axis.name][place])]),
    ),
    isFaded:
      !row.matches ||
      axes.some(({ name }) => brushes[name] && !isWithin(brushes[name], shares[name][place])),
  }));
};

export class ParallelChart {
  // `onBrush(axis, range)` is told what was brushed: {from, to} as shares of the axis, or null.
  constructor(figure, { onBrush, openTrial }) {
    this.figure = figure;
    this.onBrush = onBrush;
    this.openTrial = openTrial;
  }

  draw(data, brushes) {
    const { axes, lines } = data.parallel;
    if (lines.trial.length < 2 || !axes.length) {
      showEmpty(this.figure, "Needs two trials, and a parameter that varies.");
      return;
    }
    const box = drawingBox(this.figure);
    this.width = Math.max(box.clientWidth, (axes.length + 1) * AXIS_WIDTH);
    this.gap = (this.width - 2 * SIDE) / axes.length;
    this.svg = svgNode("svg", {
      viewBox: `0 0 ${this.width} ${HEIGHT}`,
      role: "group",
      "aria-label": "Parallel coordinates",
    });
    this.svg.style.minWidth = `${this.width}px`;
    this.brushes = brushes;
    const scrolled = box.scrollLeft;
    const focused = box.contains(document.activeElement)
      ? document.activeElement.getAttribute("aria-label")
      : null;
    const rows = placeLines(data, brushes);
    this.drawLines(rows, data);
    for (const [place, axis] of axes.entries()) this.drawAxis(axis, place);
    this.drawObjective(data);
    box.replaceChildren(this.svg);
    box.removeAttribute("aria-busy");
    box.scrollLeft = scrolled;
    if (focused) this.focus(focused);
    this.figure.classList.remove("is-empty");
    caption(this.figure, this.captionOf(data, rows));
  }

  focus(label) {
    const node = this.figure.querySelector(`[aria-label="${CSS.escape(label)}"]`);
    node?.focus({ preventScroll: true });
  }

  columnAt(place) {
    return SIDE + place * this.gap;
  }

  drawLines(rows, data) {
    const values = rows.map(({ value }) => value);
    const { mode, metric } = data;
    const log = isLogMetric(metric, values);
    this.objective = metricScale({ top: TOP, bottom: BOTTOM }, values, { mode, log });
    const group = svgNode("g", { "aria-hidden": "true" });
    // The best are drawn last, above all others.
    for (const row of [...rows].reverse()) {
      const end = this.objective.clampedAt(row.value);
      const merit = (mode === "max" ? BOTTOM - end : end - TOP) / (BOTTOM - TOP);
      const tone = Math.min(TONES - 1, Math.floor(merit * TONES));
      const heights = [...row.heights, end];
      const points = heights.map((y, place) => ({ x: this.columnAt(place), y }));
      const drawn = path(`line thin m${tone}${row.isFaded ? " faded" : ""}`, throughPoints(points));
      const wide = path("line hit", throughPoints(points)); // what a pointer can meet
      if (!row.isFaded) {
        wide.addEventListener("pointermove", (event) => {
          drawn.classList.add("hovered");
          tooltip.show(event, describe(row, data));
        });
        wide.addEventListener("pointerout", () => {
          drawn.classList.remove("hovered");
          tooltip.hide();
        });
        wide.addEventListener("click", () => this.openTrial(row.trial));
        group.append(drawn, wide);
      } else group.prepend(drawn);
    }
    this.svg.append(group);
  }

  drawAxis(axis, place) {
    const x = this.columnAt(place);
    this.svg.append(line("axis", x, TOP, x, BOTTOM));
    this.drawName(x, axis.name);
    for (const tick of axis.ticks) this.drawLabel(x, heightOf(tick.share), tick.text);
    const brush = this.brushes[axis.name];
    if (brush) this.svg.append(this.brushBox(x, brush));
    this.svg.append(this.grip(axis, x, brush));
  }

  // The axis of the objective is also the scale of the lines' colours.
  drawObjective({ parallel, label, mode }) {
    const x = this.columnAt(parallel.axes.length);
    const height = (BOTTOM - TOP) / TONES;
    for (let tone = 0; tone < TONES; tone++) {
      const y = mode === "max" ? BOTTOM - (tone + 1) * height : TOP + tone * height;
      this.svg.append(svgNode("rect", { class: `m${tone}`, x: x - 3, y, width: 6, height }));
    }
    this.drawName(x, label.replace("validation ", ""));
    for (const tick of this.objective.ticks)
      this.drawLabel(x, this.objective.at(tick), shortNumber(tick));
  }

  drawName(x, name) {
    const most = Math.floor(this.gap / 7);
    const label = text(x, 16, shortened(name, most), { anchor: "middle", className: "strong" });
    if (name.length > most) label.append(svgNode("title", {}, name));
    this.svg.append(label);
  }

  // A tick's label lies on a ground of its own, so that lines do not cross its letters.
  drawLabel(x, y, content) {
    const shown = shortened(content, 12);
    const width = 6.4 * shown.length + 6;
    const ground = { class: "ground", x: x + 9, y: y - 8, width, height: 16, rx: 3 };
    this.svg.append(svgNode("rect", ground));
    this.svg.append(text(x + 12, y + 4, shown, { className: "tick" }));
  }

  brushBox(x, { from, to }) {
    const [top, bottom] = [heightOf(to), heightOf(from)];
    const height = Math.max(6, bottom - top);
    const y = (top + bottom - height) / 2;
    return svgNode("rect", { class: "brush", x: x - 7, width: 14, y, height });
  }

  // The part of an axis that is brushed with a pointer, or with the arrow keys.
  grip(axis, x, brush) {
    const zone = svgNode("rect", {
      class: "grip",
      x: x - 16,
      width: 32,
      y: TOP - 6,
      height: BOTTOM - TOP + 12,
      tabindex: 0,
      role: "slider",
      "aria-label": `Filter by ${axis.name}`,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": Math.round(100 * (brush?.from ?? 0)),
      "aria-valuetext": brush ? "filtered" : "not filtered",
    });
    this.followPointer(zone, axis, x);
    zone.addEventListener("keydown", (event) => this.followKey(event, axis, brush));
    return zone;
  }

  shareAt(event) {
    const inverse = this.svg.getScreenCTM().inverse();
    const { y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(inverse);
    return Math.min(1, Math.max(0, (BOTTOM - y) / (BOTTOM - TOP)));
  }

  followPointer(zone, axis, x) {
    let start = null; // where the pointer went down
    let drawn = null;
    const rangeTo = (event) => {
      const [from, to] = [start, this.shareAt(event)].sort((a, b) => a - b);
      return { from, to };
    };
    const end = () => {
      start = null;
      drawn?.remove();
    };
    // A finger on an axis draws, and does not scroll. Chrome ignores touch-action inside an SVG.
    zone.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    zone.addEventListener("pointerdown", (event) => {
      start = this.shareAt(event);
      zone.setPointerCapture(event.pointerId);
      drawn = this.brushBox(x, { from: start, to: start });
      zone.before(drawn);
      event.preventDefault();
      zone.focus({ preventScroll: true });
    });
    zone.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const { from, to } = rangeTo(event);
      drawn.setAttribute("y", heightOf(to));
      drawn.setAttribute("height", heightOf(from) - heightOf(to));
    });
    zone.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const range = rangeTo(event);
      end();
      this.onBrush(axis, range.to - range.from < SMALLEST_BRUSH ? null : range);
    });
    zone.addEventListener("pointercancel", end);
  }

  followKey(event, axis, brush) {
    const { from, to } = brush ?? { from: 0, to: 1 };
    const step = axis.categories.length > 1 ? 1 / (axis.categories.length - 1) : KEY_STEP;
    const ranges = {
      ArrowUp: { from: Math.min(from + step, to), to },
      ArrowDown: { from, to: Math.max(to - step, from) },
      PageUp: { from, to: Math.min(1, to + step) },
      PageDown: { from: Math.max(0, from - step), to },
      Delete: null,
      Backspace: null,
    };
    if (!(event.key in ranges)) return;
    event.preventDefault();
    this.onBrush(axis, ranges[event.key]);
  }

  captionOf({ ranked, parallel }, rows) {
    const { axes, lines } = parallel;
    const parts = [
      "drag along an axis to filter the trials",
      "or focus an axis and use the arrow keys; Delete clears it",
    ];
    if (axes.some(({ name }) => lines.shares[name].includes(null)))
      parts.push("lines below an axis have no such value");
    if (ranked > rows.length)
      parts.push(`the best ${rows.length} of ${ranked.toLocaleString("en")}`);
    return parts.join("; ");
  }
}
