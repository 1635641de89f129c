// Why the ranking is what it is: sentences, and the tables behind them.

import { getJsonPatiently } from "../common/requests.js";

const TABLES = [
  { key: "ranking-importance", title: "Importance" },
  { key: "ranking-failing", title: "What always failed" },
  { key: "ranking-edges", title: "Ends of ranges" },
  { key: "ranking-outlook", title: "What more trials may bring" },
];

const muted = (textContent) =>
  Object.assign(document.createElement("p"), { className: "muted", textContent });

const cellText = (value) => {
  if (value === null) return "";
  if (typeof value !== "number") return `${value}`;
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) < 1e-3 ? value.toExponential(1) : `${+value.toPrecision(4)}`;
};

const addCell = (row, tag, content, isNumeric) => {
  const cell = row.appendChild(document.createElement(tag));
  cell.textContent = content;
  if (isNumeric) cell.className = "n";
};

const isNumberOrNothing = (value) => value === null || typeof value === "number";

const tableOf = (title, rows) => {
  const columns = Object.keys(rows[0])
    .filter((name) => rows.some((row) => row[name] !== null))
    .map((name) => ({ name, isNumeric: rows.every((row) => isNumberOrNothing(row[name])) }));
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const { name, isNumeric } of columns)
    addCell(head, "th", name.replaceAll("_", " "), isNumeric);
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const { name, isNumeric } of columns) addCell(line, "td", cellText(row[name]), isNumeric);
  }
  const scroll = document.createElement("div");
  Object.assign(scroll, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title });
  scroll.append(table);
  return scroll;
};

const detailsOf = ({ key, title }, rows, isOpen) => {
  const details = document.createElement("details");
  details.open = isOpen;
  details.dataset.key = key;
  const summary = document.createElement("summary");
  summary.textContent = `${title}: the numbers`;
  details.append(summary, tableOf(title, rows));
  return details;
};

export const showRankingReasons = async (box, url) => {
  try {
    const { findings, cautions, tables, method } = await getJsonPatiently(url);
    const list = document.createElement("ul");
    for (const finding of findings)
      list.append(Object.assign(document.createElement("li"), { textContent: finding }));
    const open = [...box.querySelectorAll("details[open]")].map(({ dataset }) => dataset.key);
    const shown = TABLES.filter(({ key }) => tables[key]?.length);
    const details = shown.map((one) => detailsOf(one, tables[one.key], open.includes(one.key)));
    box.replaceChildren(list, ...cautions.map(muted), ...details, muted(method));
  } catch (error) {
    box.replaceChildren(muted(error.message));
  }
};
