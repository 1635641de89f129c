// The weights of random draws of a search file, against its budgets.

import { Plot } from "./plot.js";
import { Scale } from "./scales.js";
import { line, shortNumber, svgNode, text } from "./svg.js";

const HEIGHT = 190;

const drawBars = (plot, x, y, { counts, edges }, fewestPixels) => {
  for (const [place, count] of counts.entries()) {
    if (!count) continue;
    // However narrow it is, a bar ends where its bin does.
    const [from, to] = [x.at(edges[place]), x.at(edges[place + 1])];
    const width = Math.max(fewestPixels, to - from - 1);
    const top = y.at(count);
    const height = plot.bottom - top;
    plot.add(svgNode("rect", { class: "bin", x: to - 0.5 - width, width, y: top, height }));
  }
};

export const drawHistograms = (box, histograms, budgets) => {
  // Where widths are solved, the draws of each budget lie close below it: all of them are shown.
  const areSolved = histograms.every(({ edges }) => edges.at(-1) < 1.5 * edges[0]);
  const shown = areSolved ? histograms : histograms.slice(-1);
  const plot = new Plot(box, {
    height: HEIGHT,
    label: "weights of random draws",
    left: 16,
    right: 16,
    top: 18,
    bottom: 34,
  });
  const low = Math.min(...shown.map(({ edges }) => edges[0]), ...budgets);
  const high = Math.max(...shown.map(({ edges }) => edges.at(-1)), ...budgets);
  const x = new Scale({
    low: low / 1.05,
    high: high * 1.05,
    from: plot.left,
    to: plot.right,
    log: true,
  });
  const most = Math.max(...shown.flatMap(({ counts }) => counts));
  const y = new Scale({ low: 0, high: most, from: plot.bottom, to: plot.top });
  for (const histogram of shown) drawBars(plot, x, y, histogram, areSolved ? 3 : 1);
  const middle = { anchor: "middle" };
  for (const budget of budgets) {
    plot.add(line("budget", x.at(budget), 14, x.at(budget), plot.bottom));
    const style = { ...middle, className: "strong" };
    plot.add(text(x.at(budget), 11, shortNumber(budget), style));
  }
  for (const tick of x.ticks)
    plot.add(text(x.at(tick), plot.bottom + 16, shortNumber(tick), middle));
  const [{ budget }] = shown;
  const isOfAll = areSolved || budget === null;
  const name = isOfAll ? "weights of draws" : `weights of draws for ${shortNumber(budget)}`;
  plot.add(text(plot.right, HEIGHT - 3, name, { anchor: "end" }));
};
