// How many trials came to each rung, and what became of them there.

import { Plot } from "./plot.js";
import { Scale } from "./scales.js";
import {
  barMark,
  caption,
  drawingBox,
  line,
  shortNumber,
  showEmpty,
  showLegend,
  svgNode,
  text,
} from "./svg.js";

const HEIGHT = 300;
const GAP = 0.6; // between two budgets, in widths of a bar
const OUTCOMES = [
  { key: "continued", className: "went", label: "continued" },
  { key: "ended", className: "other", label: "ended for another reason" },
  { key: "stopped", className: "stop", label: "stopped" },
];

const drawBar = (plot, y, rung, left, width) => {
  let base = 0;
  for (const { key, className, label } of OUTCOMES) {
    const top = y.at(base + rung[key]);
    const bar = svgNode("rect", {
      class: className,
      x: left + width * 0.12,
      width: width * 0.76,
      y: top,
      height: y.at(base) - top,
    });
    bar.append(svgNode("title", {}, `${rung[key]} ${label} at epoch ${rung.epoch}`));
    plot.add(bar);
    base += rung[key];
  }
  plot.add(text(left + width / 2, plot.bottom + 15, `${rung.epoch}`, { anchor: "middle" }));
};

export const drawRungs = (figure, data) => {
  const budgets = Object.entries(data.rungs).map(([budget, rungs]) => ({ budget, rungs }));
  if (!budgets.length) return showEmpty(figure, "No trial came to a rung: none was stopped early.");
  const box = drawingBox(figure);
  const plot = new Plot(box, {
    height: HEIGHT,
    label: "trials stopped and continued, by rung",
    bottom: 58,
    right: 8,
  });
  const bars = budgets.flatMap(({ rungs }) => rungs);
  const most = Math.max(...bars.map(({ reached }) => reached), 1);
  const y = new Scale({ low: 0, high: most, from: plot.bottom, to: plot.top, whole: true });
  for (const tick of y.ticks) {
    plot.add(line("gridline", plot.left, y.at(tick), plot.right, y.at(tick)));
    plot.add(text(plot.left - 6, y.at(tick) + 4, shortNumber(tick), { anchor: "end" }));
  }
  const width = (plot.right - plot.left) / (bars.length + budgets.length * GAP);
  let left = plot.left;
  for (const { budget, rungs } of budgets) {
    const begin = left;
    for (const rung of rungs) {
      drawBar(plot, y, rung, left, width);
      left += width;
    }
    if (budget !== "all") {
      const style = { anchor: "middle", className: "strong" };
      const name = `≤ ${shortNumber(Number(budget))}`;
      plot.add(text((begin + left) / 2, plot.bottom + 33, name, style));
    }
    left += width * GAP;
  }
  plot.add(text(4, 12, "trials", { className: "strong" }));
  const xName = budgets.some(({ budget }) => budget !== "all")
    ? "rung (epoch), for each budget"
    : "rung (epoch)";
  plot.add(text(plot.right, plot.height - 6, xName, { anchor: "end", className: "strong" }));
  caption(figure, "how many trials came to each rung, were stopped there, and continued");
  const items = OUTCOMES.map(({ label, className }) => ({ label, mark: barMark(className) }));
  showLegend(box, items);
};
