// An axis of the parallel coordinates, as the service gives it, with what can be asked of it.

import { shortNumber } from "./svg.js";

const categoryShare = (axis, place) =>
  axis.categories.length > 1 ? place / (axis.categories.length - 1) : 0.5;

// Tells whether a share of the axis lies in a range of it.
export const isWithin = (brush, share) =>
  share !== null && share >= brush.from - 1e-6 && share <= brush.to + 1e-6;

export const axisOf = (numbers) => ({
  ...numbers,
  // The value at a share of the axis, as exact as it can be drawn.
  valueAt(share) {
    const { low, high, log, whole } = numbers;
    const value = log ? low * (high / low) ** share : low + share * (high - low);
    return whole ? Math.round(value) : Number(value.toPrecision(4));
  },
  shareOf(value) {
    const { low, high, log } = numbers;
    if (log) return Math.log(value / low) / Math.log(high / low);
    return (value - low) / (high - low || 1);
  },
  // The categories that a range holds; between two, the nearest one.
  categoriesIn({ from, to }) {
    const shares = numbers.categories.map((_, place) => categoryShare(numbers, place));
    const within = numbers.categories.filter((_, place) => isWithin({ from, to }, shares[place]));
    if (within.length) return within;
    const middle = (from + to) / 2;
    const distances = shares.map((share) => Math.abs(share - middle));
    return [numbers.categories[distances.indexOf(Math.min(...distances))]];
  },
  // The range of some categories, from the lowest to the highest.
  rangeOf(categories) {
    const shares = categories
      .map((category) => numbers.categories.indexOf(category))
      .filter((place) => place >= 0)
      .map((place) => categoryShare(numbers, place));
    return shares.length ? { from: Math.min(...shares), to: Math.max(...shares) } : null;
  },
  describe(share) {
    if (share === null) return null;
    if (!numbers.categories.length) return shortNumber(this.valueAt(share));
    return this.categoriesIn({ from: share, to: share })[0];
  },
});
