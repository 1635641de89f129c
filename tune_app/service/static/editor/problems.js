// What is wrong with a search file, at its lines: checked while somebody types.

import { sendChange } from "../common/requests.js";

const countText = (count) => (count === 1 ? "1 problem to fix" : `${count} problems to fix`);

const verdictOf = ({ problems, name, trials, budgets }) => {
  const verdict = document.createElement("p");
  verdict.className = problems.length ? "error" : "good";
  if (problems.length) {
    verdict.textContent = countText(problems.length); // the file has no readable name then
    return verdict;
  }
  const limits = budgets.length ? `, ${budgets.length} budgets` : "";
  verdict.textContent = `This file can run: ${name}, ${trials} trials${limits}.`;
  return verdict;
};

export class Problems {
  // `onChecked` is told how many problems there are.
  constructor({ area, numbers, verdict, list, onChecked }) {
    this.area = area;
    this.numbers = numbers;
    this.verdict = verdict;
    this.list = list;
    this.onChecked = onChecked;
    this.texts = new Map(); // of problems, by their lines
    this.latest = 0; // of the checks that were asked for
  }

  showNumbers() {
    const count = this.area.value.split("\n").length;
    this.numbers.replaceChildren();
    for (let line = 1; line <= count; line++) {
      const problem = this.texts.get(line);
      const node = document.createElement(problem ? "b" : "span");
      node.textContent = line;
      if (problem) node.title = problem;
      this.numbers.append(node, "\n");
    }
    this.numbers.scrollTop = this.area.scrollTop;
  }

  async check() {
    this.latest += 1;
    const mine = this.latest;
    try {
      const answer = await sendChange("/api/v1/check", { source: this.area.value });
      const checked = await answer.json();
      if (mine === this.latest) this.show(checked);
    } catch (error) {
      if (mine !== this.latest) return;
      this.verdict.textContent = error.message;
      this.onChecked(0); // the service checks again before it starts anything
    }
  }

  show(checked) {
    const { problems } = checked;
    const placed = problems.filter(({ line }) => line);
    this.texts = new Map(placed.map(({ line, text }) => [line, text]));
    this.verdict.replaceChildren(verdictOf(checked));
    this.list.replaceChildren(...problems.map((problem) => this.item(problem)));
    this.showNumbers();
    this.onChecked(problems.length);
  }

  item({ line, key, text }) {
    const item = document.createElement("li");
    const content = `${key ? `${key}: ` : ""}${text}`;
    if (!line) {
      item.textContent = content;
      return item;
    }
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const where = Object.assign(document.createElement("strong"), {
      textContent: `line ${line}: `,
    });
    button.append(where, content);
    button.addEventListener("click", () => this.goTo(line));
    item.append(button);
    return item;
  }

  goTo(line) {
    const lines = this.area.value.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    this.area.focus();
    this.area.setSelectionRange(start, start + lines[line - 1].length);
  }
}
