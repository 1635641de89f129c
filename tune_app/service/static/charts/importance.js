// The importance of each parameter, for each budget.

import { Plot } from "./plot.js";
import { Scale } from "./scales.js";
import {
  barMark,
  budgetTone,
  caption,
  drawingBox,
  shortened,
  shortNumber,
  showEmpty,
  showLegend,
  svgNode,
  text,
} from "./svg.js";

const BAR = 12;
const NAMES_WIDTH = 130;

// The first method that found something, with what it found for each budget.
const firstAnswer = (found) => {
  const methods = [...new Set(found.map(({ method }) => method))];
  return methods
    .map((method) => found.filter((one) => one.method === method && Object.keys(one.shares).length))
    .find((answers) => answers.length);
};

const paragraph = (content) =>
  Object.assign(document.createElement("p"), { className: "muted", textContent: content });

export const drawImportance = (figure, found) => {
  const answers = firstAnswer(found);
  if (!answers) {
    const reason = found.find((one) => one.reason)?.reason;
    return showEmpty(figure, reason ?? "Too few trials have a result.");
  }
  const names = [...new Set(answers.flatMap(({ shares }) => Object.keys(shares)))];
  const budgets = [...new Set(found.map(({ budget }) => budget))].filter((one) => one !== null);
  const row = BAR * answers.length + 8;
  const box = drawingBox(figure);
  const plot = new Plot(box, {
    height: names.length * row + 24,
    label: "importance of each parameter",
    left: NAMES_WIDTH,
    right: 60,
  });
  const most = Math.max(...answers.flatMap(({ shares }) => Object.values(shares)));
  const x = new Scale({ low: 0, high: most, from: plot.left, to: plot.right });
  for (const [place, name] of names.entries()) {
    const middle = place * row + row / 2 + 4;
    const style = { anchor: "end", className: "strong" };
    plot.add(text(plot.left - 8, middle, shortened(name, 18), style));
    for (const [index, { budget, shares }] of answers.entries()) {
      const share = shares[name];
      if (share === undefined) continue;
      const y = place * row + index * BAR + 2;
      const width = Math.max(1, x.at(share) - plot.left);
      const className = budgetTone(budgets, budget);
      plot.add(svgNode("rect", { class: className, x: plot.left, y, width, height: BAR - 2 }));
      plot.add(text(x.at(share) + 5, y + 9, `${Math.round(share * 100)} %`));
    }
  }
  const [{ method, budget, trials }] = answers;
  const together = budgets.length ? "each budget alone has too few" : "there are no budgets";
  const among =
    budget === null
      ? `all ${trials} trials with a result (${together})`
      : "the trials that were drawn for each budget";
  caption(figure, `share of the differences in the objective, by ${method}, among ${among}`);
  if (budget !== null) {
    const items = answers.map((answer) => ({
      label: `≤ ${shortNumber(answer.budget)}`,
      mark: barMark(budgetTone(budgets, answer.budget)),
    }));
    showLegend(box, items);
  }
  const silent = found.filter(
    (one) => one.method === method && one.reason && one.budget !== null && budget !== null,
  );
  if (silent.length) {
    const reasons = silent.map((one) => `≤ ${shortNumber(one.budget)}: ${one.reason}`);
    box.append(paragraph(reasons.join("; ")));
  }
};
