// The best objective so far, under each budget, over the trials in the order in which they ended.

import { Plot } from "./plot.js";
import { isLogMetric, metricScale, Scale } from "./scales.js";
import {
  budgetTone,
  caption,
  drawingBox,
  lineMark,
  path,
  rowsOf,
  shortNumber,
  showEmpty,
  showLegend,
  stairs,
} from "./svg.js";

const HEIGHT = 340;

export const drawProgress = (figure, data) => {
  const curves = Object.entries(data.progress.curves)
    .map(([budget, columns]) => ({
      budget: budget === "all" ? null : Number(budget),
      steps: rowsOf(columns),
    }))
    .filter(({ steps }) => steps.length);
  if (!curves.length) return showEmpty(figure, data.empty);
  const { label, budgets } = data;
  const box = drawingBox(figure);
  const plot = new Plot(box, { height: HEIGHT, label: `best ${label} so far, by trials ended` });
  const ended = Math.max(data.progress.ended, 2);
  const x = new Scale({ low: 1, high: ended, from: plot.left, to: plot.right, whole: true });
  const values = curves.flatMap(({ steps }) => steps.map(({ value }) => value));
  const y = metricScale(plot, values, { mode: data.mode, log: isLogMetric(data.metric, values) });
  plot.drawAxes({ x, y, xName: "trials ended", yName: label });
  const layer = plot.clippedLayer();
  for (const [place, { budget, steps }] of curves.entries()) {
    const points = steps.map((step) => ({ x: x.at(step.ended), y: y.at(step.value) }));
    // The best trial of a budget may be that of a larger one too: lines that are drawn first are
    // thicker, so that all are seen where they coincide.
    const strokeWidth = 2 + 1.5 * (curves.length - 1 - place);
    const tone = budgetTone(budgets, budget);
    layer.append(path(`line ${tone}`, stairs(points, plot.right), { strokeWidth }));
  }
  caption(figure, `best ${label} under each budget, over the trials in the order they ended`);
  if (!budgets.length) return;
  const items = curves.map(({ budget }) => ({
    label: `≤ ${shortNumber(budget)}`,
    mark: lineMark(`line ${budgetTone(budgets, budget)}`),
  }));
  showLegend(box, items);
};
