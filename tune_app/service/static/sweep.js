// The page of a sweep: its table without reloads, its charts, its events.
import { fetchPage, get, onChange, showActions, swap, toast } from "./app.js";
import {
  drawCurves,
  drawImportance,
  drawParallel,
  drawPareto,
  drawProgress,
  drawRungs,
  empty,
} from "./charts.js";

const page = document.getElementById("sweep");
const name = page.dataset.name;
const api = `/api/v1/sweeps/${name}`;
const figures = Object.fromEntries(
  ["pareto", "progress", "parallel", "curves", "rungs", "importance"].map((id) => [
    id,
    document.getElementById(id),
  ]),
);
const selected = new Set(
  (new URLSearchParams(location.search).get("selected") ?? "").split(",").filter(Boolean),
);
const brushes = {};
let charts = null;

const openTrial = (trial) => location.assign(`/sweeps/${name}/trials/${trial}`);
const table = () => document.getElementById("table");

const mark = () => {
  for (const box of table().querySelectorAll("td input[type=checkbox]")) {
    const trial = box.value.split(":").pop();
    box.checked = selected.has(trial);
    box.closest("tr").classList.toggle("marked", box.checked);
  }
};

// The view is in the address: what is clicked is fetched, put in place and remembered there.

// The table first: what it shows is waited for, the charts beside it are not.
const afterPaint = (work) => requestAnimationFrame(() => setTimeout(work));

let turn = 0;
const show = async (url, { push = true } = {}) => {
  const mine = ++turn;
  const wanted = new URL(url, location.href);
  const query = new URLSearchParams(wanted.search);
  query.delete("selected");
  query.set("part", "live");
  try {
    const fresh = await fetchPage(`${wanted.pathname}?${query}`);
    if (mine !== turn) return;
    const before = new Set(
      [...table().querySelectorAll("tr[data-trial]")].map((one) => one.dataset.trial),
    );
    swap(fresh, "#head");
    if (swap(fresh, "#table") && !push)
      for (const row of table().querySelectorAll("tr[data-trial]"))
        row.classList.toggle("new", before.size > 0 && !before.has(row.dataset.trial));
    showActions(fresh.querySelector("#state").dataset.status);
    mark();
    if (push) remember(wanted);
  } catch (error) {
    toast(error.message, { error: true });
  }
};

const remember = (url, push = true) => {
  url.searchParams.delete("part");
  url.searchParams.delete("selected");
  if (selected.size) url.searchParams.set("selected", [...selected].join(","));
  history[push ? "pushState" : "replaceState"](null, "", url);
};

table().addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || link.download || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const url = new URL(link.href);
  if (url.pathname !== location.pathname) return;
  event.preventDefault();
  show(url).then(() => afterPaint(() => readBrushes(url)));
});

table().addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-view]");
  if (!form) return;
  event.preventDefault();
  const url = new URL(location.pathname, location.href);
  const query = new URLSearchParams(new FormData(form));
  if (query.has("column")) {
    query.set("columns", query.getAll("column").join(","));
    query.delete("column");
  }
  if (!query.get("where")) query.delete("where");
  url.search = query;
  form.closest("details")?.removeAttribute("open");
  show(url).then(() => afterPaint(() => readBrushes(url)));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") table().querySelector(".menu[open]")?.removeAttribute("open");
});
document.addEventListener("click", (event) => {
  for (const menu of table().querySelectorAll(".menu[open]"))
    if (!menu.contains(event.target)) menu.removeAttribute("open");
});

addEventListener("popstate", () => {
  show(location.href, { push: false }).then(() =>
    afterPaint(() => readBrushes(new URL(location.href))),
  );
});

// Learning curves of the trials that are ticked

table().addEventListener("change", (event) => {
  if (!event.target.matches("td input[type=checkbox]")) return;
  const trial = event.target.value.split(":").pop();
  selected[event.target.checked ? "add" : "delete"](trial);
  mark();
  remember(new URL(location.href), false);
  curves();
  for (const dot of figures.pareto.querySelectorAll(".dot[data-trial]"))
    dot.classList.toggle("sel", selected.has(dot.dataset.trial));
});

const curves = async () => {
  const caption = figures.curves.querySelector("figcaption p");
  caption.textContent = "";
  const trials = [...selected].slice(0, 8);
  const shown = trials.length ? trials : bestOfEach();
  const box = figures.curves.querySelector(".draw");
  if (!shown.length) return empty(box, "Tick trials in the table to see how they learnt.");
  try {
    const found = await get(`${api}/curves?trials=${shown.join(",")}`);
    drawCurves(figures.curves, found.curves);
    caption.textContent = trials.length
      ? "the trials that are ticked in the table"
      : "the best trial of each budget; tick trials in the table to see theirs";
  } catch (error) {
    empty(box, error.message);
  }
};

const bestOfEach = () => {
  const points = charts?.points ?? [];
  const limits = charts?.budgets.length ? charts.budgets : [Infinity];
  return [
    ...new Set(limits.map((limit) => points.find((one) => one[1] <= limit)?.[0]).filter(Boolean)),
  ].slice(0, 5);
};

// Parallel coordinates: a brush is a filter of the table

const value = (axis, share) => {
  const at = axis.log
    ? axis.low * (axis.high / axis.low) ** share
    : axis.low + share * (axis.high - axis.low);
  return axis.whole ? Math.round(at) : Number(at.toPrecision(4));
};

const condition = (axis, [from, to]) => {
  if (axis.categories.length) {
    const last = axis.categories.length - 1;
    const within = axis.categories.filter(
      (_, place) => place / (last || 1) >= from - 1e-6 && place / (last || 1) <= to + 1e-6,
    );
    return [`${axis.name}=${within.join("|").replaceAll(/\s/g, "")}`];
  }
  return [
    from > 0 ? `${axis.name}>=${value(axis, from)}` : "",
    to < 1 ? `${axis.name}<=${value(axis, to)}` : "",
  ].filter(Boolean);
};

const brushed = (axis, range, keys = false) => {
  if (range) brushes[axis.name] = range;
  else delete brushes[axis.name];
  const url = new URL(location.href);
  const others = (url.searchParams.get("where") ?? "")
    .split(/\s+/)
    .filter((one) => one && !new RegExp(`^${axis.name}(>=|<=|=)`).test(one));
  const where = [...others, ...(range ? condition(axis, range) : [])].join(" ");
  where ? url.searchParams.set("where", where) : url.searchParams.delete("where");
  url.searchParams.delete("page");
  show(url);
  drawParallel(figures.parallel, charts, { brushed, brushes });
  if (keys)
    figures.parallel.querySelector(`[aria-label="Filter by ${CSS.escape(axis.name)}"]`)?.focus();
};

const share = (axis, at) =>
  axis.log
    ? Math.log(at / axis.low) / Math.log(axis.high / axis.low)
    : (at - axis.low) / (axis.high - axis.low || 1);

const readBrushes = (url) => {
  const before = JSON.stringify(brushes);
  for (const key of Object.keys(brushes)) delete brushes[key];
  for (const axis of charts?.parallel.axes ?? []) {
    for (const one of (url.searchParams.get("where") ?? "").split(/\s+/)) {
      const found = one.match(/^([\w.]+)(>=|<=)(.+)$/);
      if (found?.[1] !== axis.name || axis.categories.length) continue;
      brushes[axis.name] ??= [0, 1];
      const held = brushes[axis.name];
      held[found[2] === ">=" ? 0 : 1] = share(axis, Number(found[3]));
    }
  }
  if (charts && JSON.stringify(brushes) !== before)
    drawParallel(figures.parallel, charts, { brushed, brushes });
};

// Charts

const drawMany = () => {
  drawPareto(figures.pareto, charts, { open: openTrial, selected });
  drawProgress(figures.progress, charts);
  drawParallel(figures.parallel, charts, { brushed, brushes });
  drawRungs(figures.rungs, charts);
};

const load = async () => {
  try {
    charts = await get(`${api}/charts`);
    drawMany();
  } catch (error) {
    for (const id of ["pareto", "progress", "parallel", "rungs"])
      empty(figures[id].querySelector(".draw"), error.message);
  }
  await curves();
};

const importance = async () => {
  const box = figures.importance.querySelector(".draw");
  box.setAttribute("aria-busy", "true");
  try {
    drawImportance(figures.importance, await get(`${api}/importance`));
  } catch (error) {
    empty(box, error.message);
  }
};

// Why the ranking is what it is: sentences, and the tables behind them

const WHY = {
  "ranking-importance": "Importance",
  "ranking-failing": "What always failed",
  "ranking-edges": "Ends of ranges",
  "ranking-outlook": "What more trials may bring",
};

const why = async () => {
  const box = document.querySelector("#why .why");
  try {
    const found = await get(`${api}/why`);
    const said = document.createElement("ul");
    said.append(
      ...found.findings.map((text) =>
        Object.assign(document.createElement("li"), { textContent: text }),
      ),
    );
    const words = (text) =>
      Object.assign(document.createElement("p"), { className: "muted", textContent: text });
    const tables = Object.entries(WHY).filter(([key]) => found.tables[key]?.length);
    const open = [...box.querySelectorAll("details[open]")].map((one) => one.dataset.key);
    box.replaceChildren(
      said,
      ...found.cautions.map(words),
      ...tables.map(([key, title]) => numbers(key, title, found.tables[key], open.includes(key))),
      words(found.method),
    );
  } catch (error) {
    empty(box, error.message);
  }
};

const cell = (value) =>
  value === null
    ? ""
    : typeof value !== "number"
      ? `${value}`
      : Number.isInteger(value)
        ? value.toLocaleString("en")
        : Math.abs(value) < 1e-3
          ? value.toExponential(1)
          : `${+value.toPrecision(4)}`;

const numbers = (key, title, rows, open) => {
  const names = Object.keys(rows[0]).filter((name) => rows.some((row) => row[name] !== null));
  const table = document.createElement("table");
  const line = (row, kind, text) => {
    const made = row.appendChild(document.createElement(kind));
    made.textContent = text;
    return made;
  };
  const numeric = new Set(
    names.filter((name) =>
      rows.every((row) => row[name] === null || typeof row[name] === "number"),
    ),
  );
  const head = table.createTHead().insertRow();
  for (const name of names)
    line(head, "th", name.replaceAll("_", " ")).className = numeric.has(name) ? "n" : "";
  const body = table.createTBody();
  for (const row of rows) {
    const made = body.insertRow();
    for (const name of names)
      line(made, "td", cell(row[name])).className = numeric.has(name) ? "n" : "";
  }
  const scroll = Object.assign(document.createElement("div"), {
    className: "scroll",
    tabIndex: 0,
    role: "region",
    ariaLabel: title,
  });
  scroll.append(table);
  const details = Object.assign(document.createElement("details"), { open });
  details.dataset.key = key;
  details.append(
    Object.assign(document.createElement("summary"), { textContent: `${title}: the numbers` }),
    scroll,
  );
  return details;
};

// Both are worked out when somebody scrolls there, and again after a change.
const once = (node, look) => {
  let seen = false;
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((one) => one.isIntersecting)) return;
    watcher.disconnect();
    seen = true;
    look();
  });
  watcher.observe(node);
  return () => seen && look();
};

const again = [];
let due = null;
onChange((state) => {
  if (state.status === "deleted") return location.assign("/");
  if (due) return;
  // One look for several changes that come together.
  due = setTimeout(async () => {
    due = null;
    await show(location.href, { push: false });
    await load();
    if (!["running", "stopping"].includes(state.status)) for (const look of again) look();
  }, 700);
});

showActions(page.dataset.status);
mark();
await load();
readBrushes(new URL(location.href));
again.push(once(figures.importance, importance), once(document.getElementById("why"), why));
