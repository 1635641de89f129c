// Plain SVG charts: what each function draws is numbers that the server computed.

const NS = "http://www.w3.org/2000/svg";
export const make = (name, attributes = {}, ...children) => {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

export const short = (value) => {
  for (const [unit, factor] of [
    ["M", 1e6],
    ["k", 1e3],
  ])
    if (Math.abs(value) >= factor) return `${+(value / factor).toPrecision(4)}${unit}`;
  return `${+value.toPrecision(4)}`;
};

let W = 640; // as wide as the box of the chart that is drawn: texts have one size everywhere
const ROOM = { left: 52, right: 14, top: 10, bottom: 34 };

const linearTicks = (low, high, most = 6) => {
  const span = high - low || 1;
  const raw = span / (most - 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw);
  const ticks = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step)
    ticks.push(+at.toPrecision(12));
  return ticks;
};

const logTicks = (low, high) => {
  for (const digits of [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const digit of digits) ticks.push(digit * 10 ** power);
    const within = ticks.filter((one) => one >= low && one <= high);
    if (within.length >= 2 && within.length <= 7) return within;
  }
  return [low, high];
};

export const scale = (low, high, from, to, log = false) => {
  const warp = log ? Math.log : (x) => x;
  const [a, b] = [warp(low), warp(high)];
  const at = (value) => from + ((warp(value) - a) / (b - a || 1)) * (to - from);
  at.ticks = (log ? logTicks : linearTicks)(low, high);
  return at;
};

const frame = (box, height, label) => {
  W = Math.max(300, box.clientWidth || 640);
  const svg = make("svg", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": label });
  box.replaceChildren(svg);
  box.removeAttribute("aria-busy");
  return svg;
};

const axes = (svg, height, x, y, labels, textX = short, textY = short) => {
  const [left, right, bottom] = [ROOM.left, W - ROOM.right, height - ROOM.bottom];
  for (const tick of y.ticks) {
    const at = y(tick);
    svg.append(
      make("line", { class: "gridline", x1: left, x2: right, y1: at, y2: at }),
      make("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, textY(tick)),
    );
  }
  for (const tick of x.ticks)
    svg.append(make("text", { x: x(tick), y: bottom + 15, "text-anchor": "middle" }, textX(tick)));
  svg.append(
    make("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    make("text", { x: right, y: height - 4, "text-anchor": "end" }, labels[0]),
  );
};

// Most of the values: a network that learnt nothing must not squeeze all others into a line.
const bulk = (values, mode) => {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const reach = 3 * (at(0.75) - at(0.25));
  const [low, high] = [sorted[0], sorted.at(-1)];
  const seen =
    mode === "max"
      ? [Math.max(low, at(0.25) - reach), high]
      : [low, Math.min(high, at(0.75) + reach)];
  const room = (seen[1] - seen[0]) * 0.07 || Math.abs(seen[1]) * 0.05 || 0.05;
  return [
    seen[0] - room,
    mode === "max" && high <= 1 ? Math.min(1, seen[1] + room) : seen[1] + room,
  ];
};

const metricScale = (values, mode, log, height) => {
  let [low, high] = bulk(values, mode);
  if (log) [low, high] = [Math.min(...values) / 1.1, Math.max(high, Math.min(...values) * 1.2)];
  const at = scale(low, high, height - ROOM.bottom, ROOM.top, log);
  const clamped = (value) => Math.min(Math.max(at(value), ROOM.top), height - ROOM.bottom);
  clamped.ticks = at.ticks;
  return clamped;
};

export const legend = (box, items) => {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const [text, mark] of items) {
    const item = document.createElement("li");
    const svg = make("svg", { viewBox: "0 0 32 16", "aria-hidden": "true" }, mark);
    item.append(svg, text);
    list.append(item);
  }
  box.append(list);
};

let tip = null;
export const hint = (event, text) => {
  tip ??= document.body.appendChild(
    Object.assign(document.createElement("div"), { className: "tip" }),
  );
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const [x, y] = [event.clientX ?? 0, event.clientY ?? 0];
  tip.style.left = `${Math.min(x + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(y + 14, innerHeight - tip.offsetHeight - 8)}px`;
};

export const empty = (box, text) => {
  const said = document.createElement("p");
  said.className = "muted";
  said.textContent = text;
  box.replaceChildren(said);
  box.removeAttribute("aria-busy");
};

const isLog = (metric, values) => metric.endsWith("loss") && values.every((one) => one > 0);
const tone = (budgets, budget) => {
  const place = budgets.indexOf(budget);
  return place < 0 ? 2 : budgets.length < 2 ? 2 : Math.round((place / (budgets.length - 1)) * 4);
};

export const drawPareto = (figure, data, { open, selected }) => {
  const box = figure.querySelector(".draw");
  const { points, metric, mode, budgets } = data;
  if (!points.length) return empty(box, "No trial has a result yet.");
  const height = 340;
  const svg = frame(box, height, `${data.label} against weights, ${points.length} trials`);
  const weights = [...points.map((one) => one[1]), ...budgets];
  const x = scale(
    Math.min(...weights) / 1.15,
    Math.max(...weights) * 1.15,
    ROOM.left,
    W - ROOM.right,
    true,
  );
  const values = points.map((one) => one[2]);
  const y = metricScale(values, mode, isLog(metric, values), height);
  axes(svg, height, x, y, ["weights", data.label]);
  for (const budget of budgets) {
    const at = x(budget);
    svg.append(
      make("line", { class: "budget", x1: at, x2: at, y1: ROOM.top, y2: height - ROOM.bottom }),
      make(
        "text",
        { x: at - 4, y: height - ROOM.bottom - 6, "text-anchor": "end", class: "halo" },
        `≤ ${short(budget)}`,
      ),
    );
  }
  if (data.front.length) {
    let path = `M${x(data.front[0][0])},${y(data.front[0][1])}`;
    for (const [w, v] of data.front.slice(1)) path += `H${x(w).toFixed(1)}V${y(v).toFixed(1)}`;
    svg.append(make("path", { class: "front", d: `${path}H${W - ROOM.right}` }));
  }
  const dots = make("g");
  const radius = points.length > 300 ? 3 : 4.5;
  for (const [trial, w, v, budget, early] of [...points].reverse()) {
    const dot = make("circle", {
      class: `dot k${tone(budgets, budget)}${early ? " early" : ""}${selected.has(trial) ? " sel" : ""}`,
      cx: x(w).toFixed(1),
      cy: y(v).toFixed(1),
      r: radius,
      "data-trial": trial,
    });
    dots.append(dot);
  }
  const found = new Map(points.map((one) => [one[0], one]));
  const about = (event) => {
    const one = found.get(event.target.dataset?.trial);
    hint(
      event,
      one
        ? `${one[0]}\n${data.label} ${short(one[2])}\n${one[1].toLocaleString("en")} weights${one[4] ? "\nended early" : ""}`
        : "",
    );
    return one;
  };
  dots.addEventListener("pointerover", about);
  dots.addEventListener("pointerout", (event) => hint(event, ""));
  dots.addEventListener("click", (event) => about(event) && open(event.target.dataset.trial));
  svg.append(dots);
  const more =
    data.ranked > data.shown
      ? `; the best ${data.shown.toLocaleString("en")} of ${data.ranked.toLocaleString("en")}`
      : "";
  figure.querySelector("figcaption p").textContent =
    `${data.label} of each trial; the line is the Pareto front, dashes are budgets${more}`;
  const marks = (budgets.length ? budgets : [null]).map((one) => [
    one === null ? "a trial" : `drawn for ${short(one)}`,
    make("circle", { class: `k${tone(budgets, one)}`, cx: 16, cy: 8, r: 5 }),
  ]);
  marks.push(["ended early", make("circle", { class: "dot early k2", cx: 16, cy: 8, r: 5 })]);
  legend(box, marks);
};

export const drawProgress = (figure, data) => {
  const box = figure.querySelector(".draw");
  const curves = Object.entries(data.progress.curves).filter(([, steps]) => steps.length);
  if (!curves.length) return empty(box, "No trial has ended yet.");
  const height = 340;
  const svg = frame(box, height, `best ${data.label} so far, by trials ended`);
  const ended = Math.max(data.progress.ended, 2);
  const x = scale(1, ended, ROOM.left, W - ROOM.right);
  const values = curves.flatMap(([, steps]) => steps.map((one) => one[1]));
  const y = metricScale(values, data.mode, isLog(data.metric, values), height);
  axes(svg, height, x, y, ["trials ended", data.label]);
  // The best of a budget may be that of a larger one too: where lines coincide, all are seen.
  const thick = (place) => 2 + 1.5 * (curves.length - 1 - place);
  curves.forEach(([budget, steps], place) => {
    const k = tone(data.budgets, budget === "all" ? null : Number(budget));
    let path = `M${x(steps[0][0])},${y(steps[0][1])}`;
    for (const [at, value] of steps.slice(1)) path += `H${x(at).toFixed(1)}V${y(value).toFixed(1)}`;
    const line = make("path", { class: `line k${k}`, d: `${path}H${x(ended)}` });
    line.style.fill = "none";
    line.style.strokeWidth = thick(place);
    svg.append(line);
  });
  figure.querySelector("figcaption p").textContent =
    `best ${data.label} under each budget, over the trials in the order they ended`;
  if (data.budgets.length)
    legend(
      box,
      curves.map(([budget]) => [
        `≤ ${short(Number(budget))}`,
        make("path", { class: `line k${tone(data.budgets, Number(budget))}`, d: "M2,8H30" }),
      ]),
    );
};

export const drawParallel = (figure, data, { brushed, brushes }) => {
  const box = figure.querySelector(".draw");
  const { axes: scales, lines } = data.parallel;
  if (lines.length < 2 || scales.length < 1)
    return empty(box, "With two trials and a parameter that varies there are lines to draw.");
  const [width, height, top, bottom, side] = [
    Math.max(box.clientWidth, (scales.length + 1) * 92),
    310,
    34,
    276,
    52,
  ];
  const svg = make("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "group",
    "aria-label": "Parallel coordinates",
  });
  svg.style.minWidth = `${width}px`; // a narrow page scrolls it
  box.replaceChildren(svg);
  box.removeAttribute("aria-busy");
  const gap = (width - 2 * side) / scales.length;
  const column = (place) => side + place * gap;
  const high = (share) => (share === null ? bottom + 16 : bottom - share * (bottom - top));
  const values = lines.map((one) => one[1]);
  const [low, best] = [Math.min(...values), Math.max(...values)];
  const merit = (value) => (best === low ? 0.5 : (value - low) / (best - low));
  const group = make("g", { "aria-hidden": "true" });
  const count = Math.max(1, Math.min(10, Math.round(lines.length / 10)));
  [...lines].reverse().forEach((one, place) => {
    const isBest = lines.length - place <= count;
    const heights = [...one.slice(2).map(high), high(merit(one[1]))];
    const d = heights
      .map((y, at) => `${at ? "L" : "M"}${column(at).toFixed(1)},${y.toFixed(1)}`)
      .join("");
    const k = isBest ? 0 : 3;
    const faded = scales.some(
      ({ name }, at) => brushes[name] && !inside(brushes[name], one[2 + at]),
    );
    const line = make("path", {
      class: `line thin k${k}${isBest ? " best" : ""}${faded ? " faded" : ""}`,
      d,
    });
    line.style.fill = "none";
    group.append(line);
  });
  svg.append(group);
  scales.forEach((axis, place) => {
    const x = column(place);
    svg.append(
      make("line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom }),
      make("text", { x, y: 16, "text-anchor": "middle", class: "strong" }, axis.name),
    );
    for (const [share, text] of axis.ticks)
      svg.append(
        make(
          "text",
          { x: x + 5, y: high(share) + 4, class: "halo" },
          text.length > 12 ? `${text.slice(0, 11)}…` : text,
        ),
      );
    const held = brushes[axis.name];
    if (held)
      svg.append(
        make("rect", {
          class: "brush",
          x: x - 7,
          width: 14,
          y: high(held[1]),
          height: Math.max(3, high(held[0]) - high(held[1])),
        }),
      );
    svg.append(grip(svg, axis, x, top, bottom, held, brushed));
  });
  const x = column(scales.length);
  svg.append(
    make("line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom }),
    make(
      "text",
      { x, y: 16, "text-anchor": "middle", class: "strong" },
      data.label.replace("validation ", ""),
    ),
    make("text", { x: x + 5, y: top + 4, class: "halo" }, short(best)),
    make("text", { x: x + 5, y: bottom + 4, class: "halo" }, short(low)),
  );
  const gaps = lines.some((one) => one.slice(2).includes(null))
    ? "; lines below an axis have no such value"
    : "";
  const more =
    data.ranked > lines.length
      ? `; the best ${lines.length} of ${data.ranked.toLocaleString("en")}`
      : "";
  figure.querySelector("figcaption p").textContent =
    `drag along an axis to filter the table; or focus an axis and use the arrow keys; Delete clears it${gaps}${more}`;
};

const inside = ([from, to], share) => share !== null && share >= from - 1e-6 && share <= to + 1e-6;

// An axis that is brushed with a pointer, or with the arrow keys.
const grip = (svg, axis, x, top, bottom, held, brushed) => {
  const zone = make("rect", {
    class: "grip",
    x: x - 16,
    width: 32,
    y: top - 6,
    height: bottom - top + 12,
    tabindex: 0,
    role: "slider",
    "aria-label": `Filter by ${axis.name}`,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-valuenow": Math.round(100 * (held?.[0] ?? 0)),
    "aria-valuetext": held ? "filtered" : "not filtered",
  });
  const share = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(
      svg.getScreenCTM().inverse(),
    );
    return Math.min(1, Math.max(0, (bottom - point.y) / (bottom - top)));
  };
  let from = null;
  let drawn = null;
  zone.addEventListener("pointerdown", (event) => {
    from = share(event);
    zone.setPointerCapture(event.pointerId);
    drawn = make("rect", { class: "brush", x: x - 7, width: 14, y: 0, height: 0 });
    zone.before(drawn);
    event.preventDefault();
    zone.focus();
  });
  zone.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const [low, high] = [from, share(event)].sort((a, b) => a - b);
    drawn.setAttribute("y", bottom - high * (bottom - top));
    drawn.setAttribute("height", (high - low) * (bottom - top));
  });
  zone.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const range = [from, share(event)].sort((a, b) => a - b);
    from = null;
    brushed(axis, range[1] - range[0] < 0.015 ? null : range);
  });
  zone.addEventListener("keydown", (event) => {
    const [low, high] = held ?? [0, 1];
    const moves = {
      ArrowUp: [Math.min(low + 0.05, high), high],
      ArrowDown: [low, Math.max(high - 0.05, low)],
      PageUp: [low, Math.min(1, high + 0.05)],
      PageDown: [Math.max(0, low - 0.05), high],
      Delete: null,
      Backspace: null,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    brushed(axis, moves[event.key], true);
  });
  return zone;
};

const DASH = ["", "dash"];
export const drawCurves = (figure, curves, { best = {} } = {}) => {
  const box = figure.querySelector(".draw");
  const shown = Object.entries(curves).filter(([, epochs]) => epochs.length);
  if (!shown.length) return empty(box, "No epoch is recorded yet.");
  box.replaceChildren();
  box.removeAttribute("aria-busy");
  const holder = document.createElement("div");
  holder.className = "charts";
  box.append(holder);
  for (const kind of ["accuracy", "loss"]) {
    const series = shown
      .flatMap(([trial, epochs], place) =>
        ["val", "train"].map((split, dash) => ({
          trial,
          place,
          dash,
          steps: epochs
            .map((one) => [one.epoch, one[`${split}_${kind}`]])
            .filter(([, value]) => value !== null),
        })),
      )
      .filter(({ steps }) => steps.length);
    if (!series.length) continue;
    const part = holder.appendChild(document.createElement("div"));
    const height = 300;
    const svg = frame(part.appendChild(document.createElement("div")), height, `${kind} by epoch`);
    part.prepend(Object.assign(document.createElement("h3"), { textContent: kind }));
    const last = Math.max(2, ...series.map(({ steps }) => steps.at(-1)[0]));
    const x = scale(1, last, ROOM.left, W - ROOM.right);
    const values = series.flatMap(({ steps }) => steps.map((one) => one[1]));
    const y = metricScale(values, kind === "accuracy" ? "max" : "min", isLog(kind, values), height);
    axes(svg, height, x, y, ["epoch", kind]);
    for (const { trial, place, dash, steps } of series) {
      const line = make("path", {
        class: `line ${DASH[dash]} c${place % 8}`,
        d: steps
          .map(
            ([at, value], index) =>
              `${index ? "L" : "M"}${x(at).toFixed(1)},${y(value).toFixed(1)}`,
          )
          .join(""),
      });
      line.style.fill = "none";
      svg.append(line);
      const marked = steps.find(([at]) => at === best[trial]);
      if (marked && !dash)
        svg.append(
          make("circle", {
            class: `dot c${place % 8}`,
            cx: x(marked[0]),
            cy: y(marked[1]),
            r: 4.5,
          }),
        );
    }
  }
  const items = shown.map(([trial], place) => [
    trial,
    make("path", { class: `line c${place % 8}`, d: "M2,8H30" }),
  ]);
  legend(box, [
    ...items,
    ["validation", make("path", { class: "front", d: "M2,8H30" })],
    ["training", make("path", { class: "front line dash", d: "M2,8H30" })],
  ]);
};

export const drawRungs = (figure, data) => {
  const box = figure.querySelector(".draw");
  const panels = Object.entries(data.rungs);
  if (!panels.length) return empty(box, "No trial came by a rung: none was stopped early.");
  const height = 300;
  const svg = frame(box, height, "trials stopped and gone on, by rung");
  const bars = panels.flatMap(([budget, rungs]) => rungs.map((one) => ({ budget, ...one })));
  const most = Math.max(...bars.map((one) => one.came), 1);
  const y = scale(0, most, height - 58, 16);
  for (const tick of y.ticks.filter((one) => one % 1 === 0))
    svg.append(
      make("line", { class: "gridline", x1: ROOM.left, x2: W - 8, y1: y(tick), y2: y(tick) }),
      make("text", { x: ROOM.left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)),
    );
  const room = (W - ROOM.left - 8) / (bars.length + panels.length * 0.6);
  let at = ROOM.left;
  for (const [budget, rungs] of panels) {
    const begin = at;
    for (const rung of rungs) {
      let base = 0;
      for (const [name, key] of [
        ["went", "went_on"],
        ["other", "ended"],
        ["stop", "stopped"],
      ]) {
        const bar = make("rect", {
          class: name,
          x: at + room * 0.12,
          width: room * 0.76,
          y: y(base + rung[key]),
          height: y(base) - y(base + rung[key]),
        });
        bar.append(
          make("title", {}, `${rung[key]} ${key.replace("_", " ")} at epoch ${rung.epoch}`),
        );
        svg.append(bar);
        base += rung[key];
      }
      svg.append(
        make(
          "text",
          { x: at + room / 2, y: height - 42, "text-anchor": "middle" },
          `${rung.epoch}`,
        ),
      );
      at += room;
    }
    svg.append(
      make(
        "text",
        { x: (begin + at) / 2, y: height - 24, "text-anchor": "middle", class: "strong" },
        budget === "all" ? "" : short(Number(budget)),
      ),
    );
    at += room * 0.6;
  }
  svg.append(
    make("text", { x: W - 8, y: height - 6, "text-anchor": "end" }, "rung (epoch), by budget"),
  );
  figure.querySelector("figcaption p").textContent =
    "how many trials came by each rung, were stopped there, and went on";
  legend(box, [
    ["went on", make("rect", { class: "went", x: 6, y: 2, width: 20, height: 12 })],
    ["stopped", make("rect", { class: "stop", x: 6, y: 2, width: 20, height: 12 })],
    ["ended otherwise", make("rect", { class: "other", x: 6, y: 2, width: 20, height: 12 })],
  ]);
};

export const drawImportance = (figure, found) => {
  const box = figure.querySelector(".draw");
  const methods = [...new Set(found.map((one) => one.method))];
  const chosen = methods
    .map((method) => found.filter((one) => one.method === method && Object.keys(one.shares).length))
    .find((some) => some.length);
  if (!chosen)
    return empty(box, found.find((one) => one.reason)?.reason ?? "Too few trials have a result.");
  const names = [...new Set(chosen.flatMap((one) => Object.keys(one.shares)))];
  const budgets = [...new Set(found.map((one) => one.budget))]; // all: a colour means the same in every chart
  const row = 12 * chosen.length + 8;
  const height = names.length * row + 24;
  const svg = frame(box, height, "importance of each parameter");
  const x = scale(0, Math.max(...chosen.flatMap((one) => Object.values(one.shares))), 130, W - 60);
  names.forEach((name, place) => {
    svg.append(
      make(
        "text",
        { x: 122, y: place * row + row / 2 + 4, "text-anchor": "end", class: "strong" },
        name.length > 18 ? `${name.slice(0, 17)}…` : name,
      ),
    );
    chosen.forEach((one, index) => {
      const share = one.shares[name];
      if (share === undefined) return;
      const top = place * row + index * 12 + 2;
      svg.append(
        make("rect", {
          class: `k${tone(budgets, one.budget)}`,
          x: 130,
          y: top,
          width: Math.max(1, x(share) - 130),
          height: 10,
        }),
        make("text", { x: x(share) + 5, y: top + 9 }, `${Math.round(share * 100)} %`),
      );
    });
  });
  figure.querySelector("figcaption p").textContent =
    `share of what explains the objective, by ${chosen[0].method}, among the trials drawn for each budget`;
  if (budgets[0] !== null)
    legend(
      box,
      chosen.map(({ budget }) => [
        short(budget),
        make("rect", { class: `k${tone(budgets, budget)}`, x: 6, y: 2, width: 20, height: 12 }),
      ]),
    );
  const silent = found.filter(
    (one) => one.method === chosen[0].method && one.reason && one.budget !== null,
  );
  if (silent.length)
    box.append(
      Object.assign(document.createElement("p"), {
        className: "muted",
        textContent: silent.map((one) => `${short(one.budget)}: ${one.reason}`).join("; "),
      }),
    );
};

export const drawHistograms = (box, histograms, budgets) => {
  // Where widths are solved, the draws of each budget lie close below it: all of them are shown.
  const filled = histograms.every(({ edges }) => edges.at(-1) < 1.5 * edges[0]);
  const shown = filled ? histograms : histograms.slice(-1);
  const height = 190;
  const svg = frame(box, height, "weights of random draws");
  const low = Math.min(...shown.map(({ edges }) => edges[0]), ...budgets);
  const high = Math.max(...shown.map(({ edges }) => edges.at(-1)), ...budgets);
  const x = scale(low / 1.05, high * 1.05, 16, W - 16, true);
  const y = scale(0, Math.max(...shown.flatMap(({ counts }) => counts)), height - 34, 18);
  // As narrow as it is, a bar ends where its bin does.
  const bar = (from, to, top) => {
    const width = Math.max(filled ? 3 : 1, to - from - 1);
    return make("rect", { class: "bin", x: to - 0.5 - width, width, y: top, height: y(0) - top });
  };
  for (const { counts, edges } of shown)
    for (const [place, count] of counts.entries())
      if (count) svg.append(bar(x(edges[place]), x(edges[place + 1]), y(count)));
  for (const one of budgets)
    svg.append(
      make("line", { class: "budget", x1: x(one), x2: x(one), y1: 14, y2: height - 34 }),
      make("text", { x: x(one), y: 11, "text-anchor": "middle", class: "strong" }, short(one)),
    );
  for (const tick of x.ticks)
    svg.append(make("text", { x: x(tick), y: height - 18, "text-anchor": "middle" }, short(tick)));
  svg.append(
    make(
      "text",
      { x: W - 16, y: height - 3, "text-anchor": "end" },
      filled || shown[0].budget === null
        ? "weights of draws"
        : `weights of draws for ${short(shown[0].budget)}`,
    ),
  );
};
