// The conditions of a table's filter: from ranges of axes, and back.

const isPlain = (value) => value !== "" && !/[\s,|"]/.test(value);

// A value with spaces, commas or bars stands in quotes, and so does an empty one.
export const quoteValue = (value) => {
  if (isPlain(value)) return value;
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
};

const conditionOf = (name, operator, values) => ({
  name,
  operator,
  values,
  text: `${quoteValue(name)}${operator}${values.map(quoteValue).join("|")}`,
});

// The conditions that say that a parameter lies in a range of its axis.
const conditionsFor = (axis, range) => {
  if (axis.categories.length) {
    const categories = axis.categoriesIn(range);
    const isAll = categories.length === axis.categories.length;
    return isAll ? [] : [conditionOf(axis.name, "=", categories)];
  }
  const { from, to } = range;
  const conditions = [];
  if (from > 0) conditions.push(conditionOf(axis.name, ">=", [`${axis.valueAt(from)}`]));
  if (to < 1) conditions.push(conditionOf(axis.name, "<=", [`${axis.valueAt(to)}`]));
  return conditions;
};

const BRUSHED = [">=", "<=", "="]; // what a brush can say

// Returns `filters` with a range of one axis in the place of what they said of it.
export const withRange = (filters, axis, range) => [
  ...filters.filter(({ name, operator }) => name !== axis.name || !BRUSHED.includes(operator)),
  ...(range ? conditionsFor(axis, range) : []),
];

export const filterText = (filters) => filters.map(({ text }) => text).join(" ");

// Returns the range of an axis that the filters leave; null where they leave all of it.
const rangeFrom = (axis, filters) => {
  const conditions = filters.filter(
    ({ name, operator }) => name === axis.name && BRUSHED.includes(operator),
  );
  if (!conditions.length) return null;
  if (axis.categories.length) {
    const equal = conditions.find(({ operator }) => operator === "=");
    return equal ? axis.rangeOf(equal.values) : null;
  }
  const range = { from: 0, to: 1 };
  for (const { operator, values } of conditions) {
    const share = axis.shareOf(Number(values[0]));
    if (Number.isNaN(share)) continue;
    if (operator !== "<=") range.from = Math.max(range.from, Math.min(1, share));
    if (operator !== ">=") range.to = Math.min(range.to, Math.max(0, share));
  }
  return range;
};

// Returns the brushed range of every axis that has one, by the axis's name.
export const rangesOf = (axes, filters) => {
  const ranges = {};
  for (const axis of axes) {
    const range = rangeFrom(axis, filters);
    if (range) ranges[axis.name] = range;
  }
  return ranges;
};
