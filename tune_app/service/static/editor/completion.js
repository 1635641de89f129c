// Completion of the keys of a search file: Ctrl+Space, arrow keys, Enter.

import { getJson } from "../common/requests.js";

const MOST_SHOWN = 40;
const LONGEST_EXPLANATION = 70;

// The section that a nested line stands in: the last key without indentation above it.
const SECTION_ABOVE = /(?:^|\n)([a-z_]+):[^\n]*\n(?:[ \t#][^\n]*\n|\n)*[^\n]*$/;

// The word before the cursor, and the section that it belongs to; "" is the top of the file.
const wordAtCursor = ({ value, selectionStart }) => {
  const before = value.slice(0, selectionStart);
  const word = before.match(/[\w.]*$/)[0];
  const line = before.slice(before.lastIndexOf("\n") + 1);
  if (/^\s/.test(line)) return { word, section: before.match(SECTION_ABOVE)?.[1] ?? "" };
  if (line.includes("{")) return { word, section: line.match(/^([a-z_]+):/)?.[1] ?? "" };
  return { word, section: "" };
};

export class Completion {
  constructor(area, list) {
    this.area = area;
    this.list = list;
    this.keysOfSections = null;
    this.chosen = 0;
  }

  get isOpen() {
    return !this.list.hidden;
  }

  close() {
    this.list.hidden = true;
  }

  open() {
    this.chosen = 0;
    return this.update();
  }

  move(step) {
    this.chosen = Math.max(0, this.chosen + step);
    return this.update();
  }

  accept() {
    const option = this.list.children[this.chosen];
    this.insert(option.dataset.key, wordAtCursor(this.area).word);
  }

  async update() {
    this.keysOfSections ??= await getJson("/api/v1/keys");
    const { word, section } = wordAtCursor(this.area);
    const keys = this.keysOfSections[section] ?? this.keysOfSections[""];
    const matching = keys.filter(({ key }) => key.startsWith(word) && key !== word);
    this.chosen = Math.min(this.chosen, Math.max(0, matching.length - 1));
    this.list.hidden = !matching.length;
    this.list.replaceChildren(
      ...matching.slice(0, MOST_SHOWN).map((one, place) => this.option(one, place, word)),
    );
    this.place();
  }

  option({ key, text }, place, word) {
    const option = document.createElement("li");
    option.role = "option";
    option.setAttribute("aria-selected", place === this.chosen);
    option.dataset.key = key;
    const explanation = document.createElement("small");
    explanation.textContent = text.slice(0, LONGEST_EXPLANATION);
    option.append(key, explanation);
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the text keeps the focus
      this.insert(key, word);
    });
    return option;
  }

  // Below the line that is typed; above it where there is no room.
  place() {
    const { area, list } = this;
    const style = getComputedStyle(area);
    const lineHeight = Number.parseFloat(style.lineHeight);
    const lines = area.value.slice(0, area.selectionStart).split("\n").length;
    const below = Number.parseFloat(style.paddingTop) + lines * lineHeight - area.scrollTop;
    const above = below - lineHeight - list.offsetHeight;
    const fitsBelow = below + list.offsetHeight <= area.clientHeight;
    list.style.left = "4rem";
    list.style.top = `${fitsBelow || above <= 0 ? below : above}px`;
  }

  insert(key, word) {
    const { area } = this;
    area.setRangeText(`${key}: `, area.selectionStart - word.length, area.selectionStart, "end");
    this.close();
    area.dispatchEvent(new Event("input"));
  }
}
