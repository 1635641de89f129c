// The charts above and below a sweep's table: of the trials that meet its filter.

import { drawCurves } from "../charts/curves.js";
import { drawImportance } from "../charts/importance.js";
import { ParallelChart } from "../charts/parallel.js";
import { axisOf } from "../charts/parallel_axis.js";
import { drawProgress } from "../charts/progress.js";
import { drawRungs } from "../charts/rungs.js";
import { drawScatter, markSelected } from "../charts/scatter.js";
import { caption, rowsOf, showEmpty } from "../charts/svg.js";
import { getJson, getJsonPatiently } from "../common/requests.js";
import { filterText, rangesOf, withRange } from "./filters.js";

const FIGURES = ["scatter", "progress", "parallel", "curves", "rungs", "importance"];
const MOST_CURVES = 8;
const MOST_BEST_CURVES = 5;

export class SweepCharts {
  constructor(name, table) {
    this.table = table;
    this.api = `/api/v1/sweeps/${name}`;
    this.openTrial = (trial) => location.assign(`/sweeps/${name}/trials/${trial}`);
    this.figures = Object.fromEntries(FIGURES.map((id) => [id, document.getElementById(id)]));
    this.numbers = null; // what the service computed for the charts
    this.filters = table.filters; // what the charts show; a brush is ahead of the table
    this.running = null;
    this.parallel = new ParallelChart(this.figures.parallel, {
      onBrush: (axis, range) => this.brush(axis, range),
      openTrial: this.openTrial,
    });
  }

  // Fetches the numbers of the trials that meet the table's filter, and draws them.
  async load() {
    this.running?.abort();
    const controller = new AbortController();
    this.running = controller;
    const where = filterText(this.table.filters);
    const query = where ? `?${new URLSearchParams({ where })}` : "";
    try {
      const numbers = await getJson(`${this.api}/charts${query}`, { signal: controller.signal });
      if (this.running !== controller) return;
      this.numbers = {
        ...numbers,
        parallel: { ...numbers.parallel, axes: numbers.parallel.axes.map(axisOf) },
        empty: where ? "No trials match this filter." : "No trial has a result yet.",
      };
      this.draw();
    } catch (error) {
      if (error.name === "AbortError") return;
      for (const id of ["scatter", "progress", "parallel", "rungs"])
        showEmpty(this.figures[id], error.message);
    }
    await this.drawCurves();
  }

  // The table shows another view, and no later click is under way.
  follow() {
    this.filters = this.table.filters;
  }

  draw() {
    const { openTrial, numbers } = this;
    const { selected } = this.table;
    drawScatter(this.figures.scatter, numbers, { openTrial, selected });
    drawProgress(this.figures.progress, numbers);
    this.drawParallel();
    drawRungs(this.figures.rungs, numbers);
  }

  drawParallel() {
    this.parallel.draw(this.numbers, rangesOf(this.numbers.parallel.axes, this.filters));
  }

  // A brushed axis is drawn at once; the table follows, and the other charts after it.
  brush(axis, range) {
    this.filters = withRange(this.filters, axis, range);
    const url = new URL(location.href);
    const where = filterText(this.filters);
    if (where) url.searchParams.set("where", where);
    else url.searchParams.delete("where");
    url.searchParams.delete("page");
    const field = document.getElementById("where");
    if (field) field.value = where;
    this.table.open(url);
    this.drawParallel();
  }

  showSelection() {
    markSelected(this.figures.scatter, this.table.selected);
    return this.drawCurves();
  }

  // The learning curves of the trials that are ticked; without any, of the best of each budget.
  async drawCurves() {
    const figure = this.figures.curves;
    const chosen = [...this.table.selected].slice(0, MOST_CURVES);
    const trials = chosen.length ? chosen : this.bestTrials();
    if (!trials.length) {
      showEmpty(figure, "Select trials in the table to see their learning curves.");
      return;
    }
    try {
      const { curves } = await getJson(`${this.api}/curves?trials=${trials.join(",")}`);
      drawCurves(figure, curves);
      const best = "the best trial of each budget; select trials in the table to see theirs";
      caption(figure, chosen.length ? "the trials that are selected in the table" : best);
    } catch (error) {
      showEmpty(figure, error.message);
    }
  }

  bestTrials() {
    if (!this.numbers) return [];
    const points = rowsOf(this.numbers.points); // the best one first
    const { budgets } = this.numbers;
    const limits = budgets.length ? budgets : [Number.POSITIVE_INFINITY];
    const best = limits.map((limit) => points.find(({ weights }) => weights <= limit)?.trial);
    return [...new Set(best.filter(Boolean))].slice(0, MOST_BEST_CURVES);
  }

  async drawImportance() {
    const figure = this.figures.importance;
    figure.querySelector(".draw").setAttribute("aria-busy", "true");
    try {
      drawImportance(figure, await getJsonPatiently(`${this.api}/importance`));
    } catch (error) {
      showEmpty(figure, error.message);
    }
  }
}
