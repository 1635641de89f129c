// Parts of a page that are replaced by what the server shows now. What somebody is doing there
// stays as it is: texts that were typed, boxes that were ticked, menus and dialogs that are open.

import { updateAges } from "./ages.js";
import { getPage } from "./requests.js";

const isBox = (field) => field.type === "checkbox" || field.type === "radio";

const isEdited = (field) => {
  if (field.tagName === "SELECT")
    return [...field.options].some((option) => option.selected !== option.defaultSelected);
  if (isBox(field)) return field.checked !== field.defaultChecked;
  return field.value !== field.defaultValue;
};

// A field is known by its form's purpose and its own name; one box of many by its value too.
const keyOf = (field) =>
  [field.form?.getAttribute("action"), field.form?.id, field.form?.dataset.url, field.name]
    .concat(isBox(field) ? [field.value] : [])
    .join("\n");

const FIELDS = "input:not([type=hidden]), select, textarea";

const editsIn = (part) =>
  new Map(
    [...part.querySelectorAll(FIELDS)]
      .filter((field) => field.name && isEdited(field))
      .map((field) => [keyOf(field), isBox(field) ? field.checked : field.value]),
  );

const restoreEdits = (part, edits) => {
  for (const field of part.querySelectorAll(FIELDS)) {
    const edit = edits.get(keyOf(field));
    if (edit === undefined) continue;
    if (isBox(field)) field.checked = edit;
    else field.value = edit;
  }
};

const focusIn = (part) => {
  const node = document.activeElement;
  if (!node || !part.contains(node)) return null;
  const { id, name, value, selectionStart, selectionEnd } = node;
  const href = node.getAttribute("href");
  const summary = node.tagName === "SUMMARY" ? node.textContent : null;
  return { id, name, value, href, summary, selectionStart, selectionEnd };
};

const restoreFocus = (part, focus) => {
  if (!focus) return;
  const isSame = (node) => {
    if (focus.id) return node.id === focus.id;
    if (focus.href) return node.getAttribute("href") === focus.href;
    if (focus.summary) return node.tagName === "SUMMARY" && node.textContent === focus.summary;
    return focus.name && node.name === focus.name && (!isBox(node) || node.value === focus.value);
  };
  const focusable = "a[href], summary, button, input, select, textarea";
  const node = [...part.querySelectorAll(focusable)].find(isSame);
  node?.focus({ preventScroll: true });
  if (node && typeof focus.selectionStart === "number" && node.setSelectionRange)
    node.setSelectionRange(focus.selectionStart, focus.selectionEnd);
};

// Puts the element of `fresh` that `selector` names in the place of that of this page. Returns
// whether anything changed. A part with an open dialog waits until the dialog is closed.
export const replacePart = (fresh, selector) => {
  const part = document.querySelector(selector);
  const made = fresh.querySelector(selector);
  if (!part || !made || part.innerHTML === made.innerHTML) return false;
  if (part.querySelector("dialog[open]")) return false;
  const edits = editsIn(part);
  const focus = focusIn(part);
  const open = [...part.querySelectorAll("details")].map((details) => details.open);
  const scrolled = [...part.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  part.replaceChildren(...made.childNodes);
  for (const [place, details] of [...part.querySelectorAll("details")].entries())
    if (place < open.length) details.open = open[place];
  for (const [place, box] of [...part.querySelectorAll(".scroll")].entries())
    box.scrollLeft = scrolled[place] ?? 0;
  restoreEdits(part, edits);
  restoreFocus(part, focus);
  updateAges(part);
  part.dispatchEvent(new CustomEvent("replaced", { bubbles: true }));
  return true;
};

const fetchThisPage = async () => {
  try {
    return await getPage(location.href);
  } catch (error) {
    if (error.status === 404) location.assign("/"); // what it showed was deleted
    throw error;
  }
};

// Replaces every part of this page that is marked as live. A page that has become another one,
// as that of a sweep that has started, is loaded anew.
export const refreshLiveParts = async () => {
  const parts = [...document.querySelectorAll("[data-live]")];
  if (!parts.length) return;
  const fresh = await fetchThisPage();
  if (parts.some((part) => !fresh.getElementById(part.id))) location.reload();
  else for (const part of parts) replacePart(fresh, `#${part.id}`);
};
