// The frame of a chart: an SVG as wide as its box, so that texts have one size everywhere.

import { line, shortNumber, svgNode, text } from "./svg.js";

const FEWEST_PIXELS = 300;
const USUAL_PIXELS = 640;

export class Plot {
  constructor(box, { height, label, left = 52, right = 14, top = 24, bottom = 36 }) {
    this.width = Math.max(FEWEST_PIXELS, box.clientWidth || USUAL_PIXELS);
    this.height = height;
    this.left = left;
    this.right = this.width - right;
    this.top = top;
    this.bottom = height - bottom;
    this.svg = svgNode("svg", {
      viewBox: `0 0 ${this.width} ${height}`,
      role: "img",
      "aria-label": label,
    });
    box.replaceChildren(this.svg);
    box.removeAttribute("aria-busy");
    box.closest("figure")?.classList.remove("is-empty");
  }

  add(...nodes) {
    this.svg.append(...nodes);
  }

  // A layer that ends at the frame: a line that leaves it is cut there, and not bent along it.
  clippedLayer() {
    const [x, y] = [this.left, this.top];
    const [width, height] = [this.right - this.left, this.bottom - this.top];
    const layer = svgNode("svg", { x, y, width, height, viewBox: `${x} ${y} ${width} ${height}` });
    layer.setAttribute("class", "layer");
    this.add(layer);
    return layer;
  }

  // Gridlines and ticks of both scales, with a name for each.
  drawAxes({ x, y, xName, yName }) {
    for (const tick of y.ticks) {
      const place = y.at(tick);
      this.add(line("gridline", this.left, place, this.right, place));
      this.add(text(this.left - 6, place + 4, shortNumber(tick), { anchor: "end" }));
    }
    for (const tick of x.ticks)
      this.add(text(x.at(tick), this.bottom + 15, shortNumber(tick), { anchor: "middle" }));
    this.add(line("axis", this.left, this.bottom, this.right, this.bottom));
    this.add(text(this.right, this.height - 4, xName, { anchor: "end", className: "strong" }));
    this.add(text(4, 12, yName, { className: "strong" }));
  }
}
