// The editor of a search file: checked as one types, its keys completed.
import { get, send } from "./app.js";
import { drawHistograms } from "./charts.js";

const area = document.getElementById("source");
const numbers = document.querySelector(".numbers");
const verdict = document.getElementById("verdict");
const list = document.getElementById("problems");
const found = document.getElementById("completions");
const start = document.querySelector("#start button");
let wrong = new Map();

const number = () => {
  const count = area.value.split("\n").length;
  numbers.replaceChildren();
  for (let line = 1; line <= count; line++) {
    const node = document.createElement(wrong.has(line) ? "b" : "span");
    node.textContent = line;
    if (wrong.has(line)) node.title = wrong.get(line);
    numbers.append(node, "\n");
  }
  numbers.scrollTop = area.scrollTop;
};

const goTo = (line) => {
  const lines = area.value.split("\n");
  const from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(from, from + lines[line - 1].length);
};

const tell = ({ problems, name, trials, budgets }) => {
  wrong = new Map(problems.filter((one) => one.line).map((one) => [one.line, one.text]));
  const said = document.createElement("p");
  said.className = problems.length ? "error" : "good";
  said.textContent = problems.length
    ? `${problems.length === 1 ? "1 problem" : `${problems.length} problems`}`
    : `This file can run: ${name}, ${trials} trials${budgets.length ? `, ${budgets.length} budgets` : ""}.`;
  verdict.replaceChildren(said);
  list.replaceChildren(
    ...problems.map((one) => {
      const item = document.createElement("li");
      const text = `${one.line ? `line ${one.line}: ` : ""}${one.key ? `${one.key}: ` : ""}${one.text}`;
      if (one.line) {
        const button = document.createElement("button");
        button.type = "button";
        const where = Object.assign(document.createElement("strong"), {
          textContent: `line ${one.line}: `,
        });
        button.append(where, text.slice(where.textContent.length));
        button.addEventListener("click", () => goTo(one.line));
        item.append(button);
      } else item.textContent = text;
      return item;
    }),
  );
  number();
  start.disabled = problems.length > 0;
};

let turn = 0;
const check = async () => {
  const mine = ++turn;
  try {
    const answer = await (await send("/api/v1/check", { source: area.value })).json();
    if (mine === turn) tell(answer);
  } catch (error) {
    if (mine !== turn) return;
    verdict.textContent = error.message;
    start.disabled = false;
  }
};

let due = null;
area.addEventListener("input", () => {
  number();
  clearTimeout(due);
  due = setTimeout(check, 350);
  if (!found.hidden) complete();
});
area.addEventListener("scroll", () => {
  numbers.scrollTop = area.scrollTop;
});

// Completion

let words = null;
let chosen = 0;

const wordAt = () => {
  const before = area.value.slice(0, area.selectionStart);
  const word = before.match(/[\w.]*$/)[0];
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const indented = /^\s/.test(line);
  let section = "";
  if (indented)
    section = before.match(/(?:^|\n)([a-z_]+):[^\n]*\n(?:[ \t#][^\n]*\n|\n)*[^\n]*$/)?.[1] ?? "";
  else if (line.includes("{")) section = line.match(/^([a-z_]+):/)?.[1] ?? "";
  return { word, section };
};

const complete = async () => {
  words ??= await get("/api/v1/keys");
  const { word, section } = wordAt();
  const known = (words[section] ?? words[""]).filter(
    (one) => one.key.startsWith(word) && one.key !== word,
  );
  chosen = Math.min(chosen, Math.max(0, known.length - 1));
  found.hidden = !known.length;
  found.replaceChildren(
    ...known.slice(0, 40).map((one, place) => {
      const item = document.createElement("li");
      item.role = "option";
      item.setAttribute("aria-selected", place === chosen);
      item.textContent = one.key;
      item.append(
        Object.assign(document.createElement("small"), { textContent: one.text.slice(0, 70) }),
      );
      item.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        take(one.key, word);
      });
      return item;
    }),
  );
  // Below the line that is typed; above it where there is no room.
  const { lineHeight, paddingTop } = getComputedStyle(area);
  const lines = area.value.slice(0, area.selectionStart).split("\n").length;
  const below = parseFloat(paddingTop) + lines * parseFloat(lineHeight) - area.scrollTop;
  const above = below - parseFloat(lineHeight) - found.offsetHeight;
  found.style.left = "4rem";
  found.style.top = `${below + found.offsetHeight > area.clientHeight && above > 0 ? above : below}px`;
};

const take = (key, word) => {
  area.setRangeText(`${key}: `, area.selectionStart - word.length, area.selectionStart, "end");
  found.hidden = true;
  area.dispatchEvent(new Event("input"));
};

let leaving = false;
area.addEventListener("keydown", (event) => {
  if (event.key === " " && event.ctrlKey) {
    event.preventDefault();
    chosen = 0;
    complete();
  } else if (event.key === "Escape") {
    leaving = found.hidden;
    found.hidden = true;
  } else if (!found.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    chosen = Math.max(0, chosen + (event.key === "ArrowDown" ? 1 : -1));
    complete();
  } else if (!found.hidden && ["Enter", "Tab"].includes(event.key)) {
    event.preventDefault();
    take(found.children[chosen].firstChild.textContent, wordAt().word);
  } else if (event.key === "Tab" && !leaving && !event.shiftKey) {
    event.preventDefault();
    area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  } else leaving = false;
});
area.addEventListener("blur", () => {
  found.hidden = true;
});

// Forecast

const lasts = (seconds) => {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
};

document.getElementById("forecast").addEventListener("click", async (event) => {
  const box = document.getElementById("forecast-result");
  event.target.disabled = true;
  box.textContent = "Drawing configurations and timing a few steps…";
  try {
    const made = await (await send("/api/v1/forecast", { source: area.value })).json();
    const { low, expected, high } = made.seconds;
    const words = document.createElement("p");
    words.textContent = `${made.trials} trials, about ${made.expected_epochs.toLocaleString("en")} of ${made.planned_epochs.toLocaleString("en")} epochs, ${made.concurrent} at once: about ${lasts(expected)} of training here (${lasts(low)} to ${lasts(high)})${made.final_trainings ? `; the final stage about ${lasts(made.final_seconds)} more` : ""}.`;
    box.replaceChildren(words);
    for (const own of made.budgets) {
      const line = document.createElement("p");
      line.className = "muted";
      line.textContent = `${own.budget === null ? "all sizes" : `at most ${own.budget.toLocaleString("en")} weights`}: ${(100 * own.share).toFixed(1)} % of random draws fit, ${own.trials} trials`;
      box.append(line);
    }
    const limits = made.budgets.map((one) => one.budget).filter(Boolean);
    if (made.histograms.length) {
      const draw = document.createElement("div");
      draw.className = "draw";
      box.append(draw);
      drawHistograms(draw, made.histograms, limits);
    }
  } catch (error) {
    box.replaceChildren(
      Object.assign(document.createElement("p"), {
        className: "error",
        textContent: error.message,
      }),
    );
  }
  event.target.disabled = false;
});

// Start

const form = document.getElementById("start");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const problem = form.querySelector(".error");
  button.disabled = true;
  problem.hidden = true;
  const { name, new: fresh, no_final: short } = form.elements;
  const body = { source: area.value, new: fresh.checked, no_final: short.checked };
  if (name.value) body.name = name.value;
  try {
    const queued = await (await send("/api/v1/sweeps", body)).json();
    sessionStorage.setItem(
      "toast",
      JSON.stringify([
        `${queued.name} is queued; it begins when there is room`,
        { command: queued.command },
      ]),
    );
    location.assign("/");
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    button.disabled = false;
  }
});

number();
check();
