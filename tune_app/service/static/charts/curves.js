// Learning curves: accuracy and loss by epoch, validation and training, of one or more trials.

import { Plot } from "./plot.js";
import { isLogMetric, metricScale, Scale } from "./scales.js";
import {
  drawingBox,
  lineMark,
  path,
  showEmpty,
  showLegend,
  svgNode,
  throughPoints,
} from "./svg.js";

const HEIGHT = 300;
const COLOURS = 8;
const SPLITS = [
  { split: "val", label: "validation", dash: "" },
  { split: "train", label: "training", dash: "dash" },
];

const colourOf = (place) => `c${place % COLOURS}`;

// A series for each trial and split that has values of this kind.
const seriesOf = (trials, kind) =>
  trials
    .flatMap(({ trial, epochs }, place) =>
      SPLITS.map(({ split, dash }) => ({
        trial,
        dash,
        colour: colourOf(place),
        steps: epochs
          .map((row) => ({ epoch: row.epoch, value: row[`${split}_${kind}`] }))
          .filter(({ value }) => value !== null),
      })),
    )
    .filter(({ steps }) => steps.length);

const drawKind = (box, kind, series, bestEpochs) => {
  const plot = new Plot(box, { height: HEIGHT, label: `${kind} by epoch` });
  const last = Math.max(2, ...series.map(({ steps }) => steps.at(-1).epoch));
  const x = new Scale({ low: 1, high: last, from: plot.left, to: plot.right, whole: true });
  const values = series.flatMap(({ steps }) => steps.map(({ value }) => value));
  const mode = kind === "accuracy" ? "max" : "min";
  const y = metricScale(plot, values, { mode, log: isLogMetric(kind, values) });
  plot.drawAxes({ x, y, xName: "epoch", yName: kind });
  const drawn = series.map((one) => {
    const points = one.steps.map(({ epoch, value }) => ({ x: x.at(epoch), y: y.at(value) }));
    return { ...one, d: throughPoints(points) };
  });
  const layer = plot.clippedLayer();
  for (const [place, { trial, dash, colour, steps, d }] of drawn.entries()) {
    // Where a later line covers this one from end to end, this one is drawn wider.
    const covering = drawn.slice(place + 1).filter((other) => other.d === d).length;
    const strokeWidth = covering ? 2 + 3 * covering : null;
    layer.append(path(`line ${dash} ${colour}`, d, { strokeWidth }));
    const best = dash ? undefined : steps.find(({ epoch }) => epoch === bestEpochs[trial]);
    if (!best) continue;
    const [cx, cy] = [x.at(best.epoch), y.clampedAt(best.value)];
    plot.add(svgNode("circle", { class: `dot ${colour}`, cx, cy, r: 4.5 }));
  }
};

// `curves` holds the epochs of each trial by its name; `bestEpochs` the epoch that gets a dot.
export const drawCurves = (figure, curves, { bestEpochs = {} } = {}) => {
  const trials = Object.entries(curves)
    .map(([trial, epochs]) => ({ trial, epochs }))
    .filter(({ epochs }) => epochs.length);
  if (!trials.length) return showEmpty(figure, "No epoch is recorded yet.");
  const box = drawingBox(figure);
  figure.classList.remove("is-empty");
  box.removeAttribute("aria-busy");
  const columns = Object.assign(document.createElement("div"), { className: "charts" });
  box.replaceChildren(columns);
  const kinds = ["accuracy", "loss"]
    .map((kind) => ({ kind, series: seriesOf(trials, kind) }))
    .filter(({ series }) => series.length)
    .map((one) => ({ ...one, part: columns.appendChild(document.createElement("div")) }));
  // Drawn when all parts are there: a part is as wide as the others leave it.
  for (const { kind, series, part } of kinds) drawKind(part, kind, series, bestEpochs);
  const items = trials.map(({ trial }, place) => ({
    label: trial,
    mark: lineMark(`line ${colourOf(place)}`),
  }));
  const splits = SPLITS.map(({ label, dash }) => ({ label, mark: lineMark(`front line ${dash}`) }));
  showLegend(box, [...items, ...splits]);
};
