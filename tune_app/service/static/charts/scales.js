// From values to places on a chart, and the ticks between them.

const STEPS = [1, 2, 2.5, 5, 10];
const WHOLE_STEPS = [1, 2, 5, 10];

const linearTicks = (low, high, whole, most = 6) => {
  const rough = (high - low || 1) / (most - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const sizes = (whole ? WHOLE_STEPS : STEPS).map((size) => size * power);
  let step = sizes.find((size) => size >= rough);
  if (whole) step = Math.max(1, Math.round(step)); // there is no half epoch
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step)
    ticks.push(+tick.toPrecision(12));
  return ticks;
};

// Digits of the ticks of a logarithmic axis: the most that there is room for.
const LOG_DIGITS = [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 5], [1, 3], [1]];

const logTicks = (low, high) => {
  const powers = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    powers.push(10 ** power);
  for (const digits of LOG_DIGITS) {
    const ticks = powers.flatMap((power) => digits.map((digit) => digit * power));
    const within = ticks.filter((tick) => tick >= low && tick <= high);
    if (within.length >= 2 && within.length <= 7) return within;
  }
  return [low, high];
};

export class Scale {
  // Values from `low` to `high` are at the places `from` to `to`.
  constructor({ low, high, from, to, log = false, whole = false }) {
    this.warp = log ? Math.log : (value) => value;
    this.low = this.warp(low);
    this.span = this.warp(high) - this.low || 1;
    this.from = from;
    this.to = to;
    this.ticks = log ? logTicks(low, high) : linearTicks(low, high, whole);
  }

  at(value) {
    return this.from + ((this.warp(value) - this.low) / this.span) * (this.to - this.from);
  }

  // The same, but never off the chart.
  clampedAt(value) {
    const [least, most] = [Math.min(this.from, this.to), Math.max(this.from, this.to)];
    return Math.min(Math.max(this.at(value), least), most);
  }

  shows(value) {
    return Math.abs(this.at(value) - this.clampedAt(value)) < 0.01;
  }
}

// Returns the range of most of the values: a network that learnt nothing must not squeeze all
// others into a line. What is far on the bad side of the quartiles is left out.
const usefulRange = (values, mode) => {
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const reach = 3 * (quantile(0.75) - quantile(0.25));
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  const low = mode === "max" ? Math.max(lowest, quantile(0.25) - reach) : lowest;
  const high = mode === "max" ? highest : Math.min(highest, quantile(0.75) + reach);
  const margin = (high - low) * 0.07 || Math.abs(high) * 0.05 || 0.05;
  const isShare = mode === "max" && highest <= 1; // an accuracy ends at 1
  return { low: low - margin, high: isShare ? Math.min(1, high + margin) : high + margin };
};

export const isLogMetric = (metric, values) =>
  metric.endsWith("loss") && values.every((value) => value > 0);

// The vertical scale of an objective, from the bottom of a plot to its top.
export const metricScale = (plot, values, { mode, log }) => {
  let { low, high } = usefulRange(values, mode);
  if (log) {
    const least = Math.min(...values);
    low = least / 1.1;
    high = Math.max(high, least * 1.2);
  }
  return new Scale({ low, high, from: plot.bottom, to: plot.top, log });
};
