// Small pieces of which the charts are made: SVG nodes, numbers as texts, legends, a tooltip.

const NAMESPACE = "http://www.w3.org/2000/svg";

export const svgNode = (name, attributes = {}, ...children) => {
  const node = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

export const line = (className, x1, y1, x2, y2) =>
  svgNode("line", { class: className, x1, y1, x2, y2 });

export const text = (x, y, content, { anchor = "start", className = "" } = {}) =>
  svgNode("text", { x, y, "text-anchor": anchor, class: className }, content);

// A path without a fill. `strokeWidth` overrides the width of its class.
export const path = (className, d, { strokeWidth = null } = {}) => {
  const node = svgNode("path", { class: className, d });
  node.style.fill = "none";
  if (strokeWidth !== null) node.style.strokeWidth = strokeWidth;
  return node;
};

// The `d` of a path through points {x, y}, in their order.
export const throughPoints = (points) =>
  points.map(({ x, y }, place) => `${place ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

// The `d` of a staircase: a value holds until the next point.
export const stairs = (points, end) => {
  const [first, ...rest] = points;
  const steps = rest.map(({ x, y }) => `H${x.toFixed(1)}V${y.toFixed(1)}`);
  return `M${first.x.toFixed(1)},${first.y.toFixed(1)}${steps.join("")}H${end.toFixed(1)}`;
};

const UNITS = [
  { unit: "M", factor: 1e6 },
  { unit: "k", factor: 1e3 },
];

// 20000 is "20k"; at most four digits.
export const shortNumber = (value) => {
  const { unit, factor } = UNITS.find((one) => Math.abs(value) >= one.factor) ?? {
    unit: "",
    factor: 1,
  };
  return `${+(value / factor).toPrecision(4)}${unit}`;
};

export const fullNumber = (value) => value.toLocaleString("en");

export const shortened = (content, most) =>
  content.length > most ? `${content.slice(0, most - 1)}…` : content;

// Turns columns of equal length, { trial: [...], weights: [...] }, into rows with named fields.
export const rowsOf = (columns) => {
  const names = Object.keys(columns);
  const count = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: count }, (_, place) =>
    Object.fromEntries(names.map((name) => [name, columns[name][place]])),
  );
};

export const caption = (figure, content) => {
  figure.querySelector("figcaption p").textContent = content;
};

export const drawingBox = (figure) => figure.querySelector(".draw");

// Says in one line why there is nothing to draw; the figure gives its room to others.
export const showEmpty = (figure, content) => {
  const said = document.createElement("p");
  said.className = "muted";
  said.textContent = content;
  const box = drawingBox(figure);
  box.replaceChildren(said);
  box.removeAttribute("aria-busy");
  caption(figure, "");
  figure.classList.add("is-empty");
};

export const showLegend = (box, items) => {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const { label, mark } of items) {
    const item = document.createElement("li");
    item.append(svgNode("svg", { viewBox: "0 0 32 16", "aria-hidden": "true" }, mark), label);
    list.append(item);
  }
  box.append(list);
};

export const lineMark = (className) => path(className, "M2,8H30");
export const dotMark = (className) => svgNode("circle", { class: className, cx: 16, cy: 8, r: 5 });
export const barMark = (className) =>
  svgNode("rect", { class: className, x: 6, y: 2, width: 20, height: 12 });

// The class of a budget's colour: five tones from the smallest to the largest.
export const budgetTone = (budgets, budget) => {
  const place = budgets.indexOf(budget);
  if (place < 0 || budgets.length < 2) return "k2";
  return `k${Math.round((place / (budgets.length - 1)) * 4)}`;
};

class Tooltip {
  constructor() {
    this.box = null;
  }

  show(event, content) {
    if (!this.box) {
      this.box = Object.assign(document.createElement("div"), { className: "tooltip" });
      document.body.append(this.box);
    }
    this.box.hidden = false;
    this.box.textContent = content;
    const { clientX = 0, clientY = 0 } = event;
    const left = Math.min(clientX + 14, innerWidth - this.box.offsetWidth - 8);
    const top = Math.min(clientY + 14, innerHeight - this.box.offsetHeight - 8);
    this.box.style.left = `${left}px`;
    this.box.style.top = `${top}px`;
  }

  hide() {
    if (this.box) this.box.hidden = true;
  }
}

export const tooltip = new Tooltip();
