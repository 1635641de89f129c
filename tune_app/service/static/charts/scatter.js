// The objective against the weights: a dot for each trial, the Pareto front, the budgets.

import { Plot } from "./plot.js";
import { isLogMetric, metricScale, Scale } from "./scales.js";
import {
  budgetTone,
  caption,
  dotMark,
  drawingBox,
  fullNumber,
  line,
  lineMark,
  path,
  rowsOf,
  shortNumber,
  showEmpty,
  showLegend,
  stairs,
  svgNode,
  text,
  tooltip,
} from "./svg.js";

const HEIGHT = 340;
const MANY = 300; // more dots than this are drawn smaller

const drawBudgets = (plot, x, budgets) => {
  for (const budget of budgets) {
    const place = x.at(budget);
    plot.add(line("budget", place, plot.top, place, plot.bottom));
    const style = { anchor: "end", className: "halo" };
    plot.add(text(place - 4, plot.bottom - 6, `≤ ${shortNumber(budget)}`, style));
  }
};

// A trial whose value lies beyond the axis is a triangle at the edge.
const triangle = (className, x, y, isAtTop) => {
  const [base, tip] = isAtTop ? [y + 7, y] : [y - 7, y];
  return svgNode("path", {
    class: className,
    d: `M${x - 5},${base}L${x + 5},${base}L${x},${tip}Z`,
  });
};

const drawDots = (plot, { x, y, points, budgets, selected }) => {
  const radius = points.length > MANY ? 3 : 4.5;
  const group = svgNode("g");
  for (const { trial, weights, value, budget, early } of [...points].reverse()) {
    const className = ["dot", budgetTone(budgets, budget)];
    if (early) className.push("early");
    if (selected.has(trial)) className.push("selected");
    const [cx, cy] = [x.at(weights), y.clampedAt(value)];
    const dot = y.shows(value)
      ? svgNode("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: radius })
      : triangle("", +cx.toFixed(1), +cy.toFixed(1), cy < (plot.top + plot.bottom) / 2);
    dot.setAttribute("class", className.join(" "));
    dot.dataset.trial = trial;
    group.append(dot);
  }
  plot.add(group);
  return group;
};

const describe = ({ trial, weights, value, early }, label) =>
  [
    trial,
    `${label} ${shortNumber(value)}`,
    `${fullNumber(weights)} weights`,
    ...(early ? ["stopped early"] : []),
  ].join("\n");

const captionOf = (data, points, beyond) => {
  const parts = [`${data.label} of each trial; the line is the Pareto front, dashes are budgets`];
  if (beyond) parts.push(`▾ ${beyond} beyond the axis`);
  if (data.ranked > points.length)
    parts.push(`the best ${fullNumber(points.length)} of ${fullNumber(data.ranked)}`);
  return parts.join("; ");
};

export const drawScatter = (figure, data, { openTrial, selected }) => {
  const points = rowsOf(data.points);
  if (!points.length) return showEmpty(figure, data.empty);
  const { label, budgets } = data;
  const box = drawingBox(figure);
  const plot = new Plot(box, {
    height: HEIGHT,
    label: `${label} against weights, ${points.length} trials`,
  });
  const sizes = [...points.map(({ weights }) => weights), ...budgets];
  const x = new Scale({
    low: Math.min(...sizes) / 1.15,
    high: Math.max(...sizes) * 1.15,
    from: plot.left,
    to: plot.right,
    log: true,
  });
  const values = points.map(({ value }) => value);
  const y = metricScale(plot, values, { mode: data.mode, log: isLogMetric(data.metric, values) });
  plot.drawAxes({ x, y, xName: "weights", yName: label });
  drawBudgets(plot, x, budgets);
  const front = rowsOf(data.front).map((one) => ({
    x: x.at(one.weights),
    y: y.clampedAt(one.value),
  }));
  if (front.length) plot.add(path("front", stairs(front, plot.right)));
  const dots = drawDots(plot, { x, y, points, budgets, selected });
  const byTrial = new Map(points.map((point) => [point.trial, point]));
  dots.addEventListener("pointerover", (event) => {
    const point = byTrial.get(event.target.dataset?.trial);
    if (point) tooltip.show(event, describe(point, label));
  });
  dots.addEventListener("pointerout", () => tooltip.hide());
  dots.addEventListener("click", (event) => {
    if (byTrial.has(event.target.dataset?.trial)) openTrial(event.target.dataset.trial);
  });
  const beyond = values.filter((value) => !y.shows(value)).length;
  caption(figure, captionOf(data, points, beyond));
  const marks = (budgets.length ? budgets : [null]).map((budget) => ({
    label: budget === null ? "a trial" : `drawn for ${shortNumber(budget)}`,
    mark: dotMark(budgetTone(budgets, budget)),
  }));
  const early = { label: "stopped early", mark: dotMark("dot early k2") };
  showLegend(box, [...marks, early, { label: "Pareto front", mark: lineMark("front") }]);
};

export const markSelected = (figure, selected) => {
  for (const dot of figure.querySelectorAll(".dot[data-trial]"))
    dot.classList.toggle("selected", selected.has(dot.dataset.trial));
};
