// The table of a sweep's trials. Its view is in the address: what is clicked stands there at once,
// is fetched, and put in its place. A live update never overtakes or replaces a click.

import { updateCompareButton } from "../common/compare_button.js";
import { replacePart } from "../common/live_parts.js";
import { closeMenusOutside } from "../common/menus.js";
import { showError } from "../common/messages.js";
import { getPage } from "../common/requests.js";

const PARTS = ["#title", "#head", "#actions", "#table"];
const USUAL_CLICK = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);

const trialOf = (box) => box.value.split(":").pop();

export class TrialTable {
  // `onView` is told of a new view, `onSelect` of other ticks.
  constructor({ onView, onSelect }) {
    this.part = document.getElementById("table");
    this.onView = onView;
    this.onSelect = onSelect;
    this.selected = new Set(
      (new URLSearchParams(location.search).get("selected") ?? "").split(",").filter(Boolean),
    );
    this.running = null; // the request under way: {isClick, abort}
    this.isStale = false; // an update came while a click was under way
    this.listen();
    this.showSelected();
  }

  // The conditions by which the table is filtered, as the service read them.
  get filters() {
    return JSON.parse(this.part.querySelector("[data-filters]")?.dataset.filters ?? "[]");
  }

  get trials() {
    return [...this.part.querySelectorAll("tr[data-trial]")].map((row) => row.dataset.trial);
  }

  listen() {
    this.part.addEventListener("click", (event) => this.clickLink(event));
    this.part.addEventListener("submit", (event) => this.submit(event));
    this.part.addEventListener("change", (event) => this.tick(event));
    addEventListener("popstate", () => this.fetch(location.href, { isClick: true }));
  }

  clickLink(event) {
    const link = event.target.closest("a[href]");
    if (!link || link.hasAttribute("data-file") || !USUAL_CLICK(event)) return;
    const url = new URL(link.href);
    if (url.pathname !== location.pathname) return;
    event.preventDefault();
    if ("clear" in link.dataset) this.part.querySelector("#where").value = "";
    this.open(url);
  }

  submit(event) {
    const form = event.target;
    if (form.id === "selected-trials") {
      event.preventDefault();
      this.compare();
      return;
    }
    if (!("view" in form.dataset)) return;
    event.preventDefault();
    const query = new URLSearchParams(new FormData(form));
    if (query.has("column")) {
      query.set("columns", query.getAll("column").join(","));
      query.delete("column");
    }
    if (!query.get("where")) query.delete("where");
    const url = new URL(location.pathname, location.href);
    url.search = query;
    closeMenusOutside(null);
    this.open(url);
  }

  tick(event) {
    if (!event.target.matches("td input[type=checkbox]")) return;
    const trial = trialOf(event.target);
    if (event.target.checked) this.selected.add(trial);
    else this.selected.delete(trial);
    this.showSelected();
    history.replaceState(null, "", this.addressOf(new URL(location.href)));
    this.onSelect();
  }

  compare() {
    const query = new URLSearchParams();
    for (const trial of this.selected) query.append("trial", `${this.part.dataset.sweep}:${trial}`);
    location.assign(`/compare?${query}`);
  }

  showSelected() {
    for (const box of this.part.querySelectorAll("td input[type=checkbox]")) {
      box.checked = this.selected.has(trialOf(box));
      box.defaultChecked = box.checked;
      box.closest("tr").classList.toggle("marked", box.checked);
    }
    updateCompareButton(this.part.querySelector("[data-compare]"), this.selected.size);
  }

  addressOf(url) {
    url.searchParams.delete("selected");
    if (this.selected.size) url.searchParams.set("selected", [...this.selected].join(","));
    return url;
  }

  // Shows another view: what somebody clicked or chose.
  open(url) {
    history.pushState(null, "", this.addressOf(url));
    // What was typed is now part of the view, and no longer an edit to be kept.
    for (const field of this.part.querySelectorAll("input")) {
      field.defaultValue = field.value;
      if (field.type === "checkbox") field.defaultChecked = field.checked;
    }
    return this.fetch(url, { isClick: true });
  }

  // Shows the same view as it is on the server now.
  refresh() {
    if (this.running?.isClick) {
      this.isStale = true;
      return Promise.resolve();
    }
    return this.fetch(location.href, { isClick: false });
  }

  async fetch(url, { isClick }) {
    this.running?.abort();
    const controller = new AbortController();
    const mine = { isClick, abort: () => controller.abort() };
    this.running = mine;
    if (isClick) this.part.setAttribute("aria-busy", "true");
    try {
      const page = new URL(url, location.href);
      page.searchParams.delete("selected");
      page.searchParams.set("part", "live");
      const fresh = await getPage(page, { signal: controller.signal });
      if (this.running === mine) this.put(fresh, isClick);
    } catch (error) {
      if (error.name !== "AbortError") showError(error);
    }
    if (this.running !== mine) return;
    this.running = null;
    this.part.removeAttribute("aria-busy");
    if (this.isStale) {
      this.isStale = false;
      await this.refresh();
    }
  }

  put(fresh, isClick) {
    const before = new Set(this.trials);
    const filtersBefore = JSON.stringify(this.filters);
    for (const selector of PARTS) replacePart(fresh, selector);
    if (!isClick && before.size)
      for (const row of this.part.querySelectorAll("tr[data-trial]"))
        row.classList.toggle("new", !before.has(row.dataset.trial));
    this.showSelected();
    this.onView({ isClick, isFiltered: filtersBefore !== JSON.stringify(this.filters) });
  }
}
