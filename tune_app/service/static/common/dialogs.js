// Buttons and dialogs that change something, and the commands that do the same in a terminal.

import { refreshLiveParts } from "./live_parts.js";
import { showError, showMessage, showOnNextPage } from "./messages.js";
import { download, saveAnswer, sendChange } from "./requests.js";

const fieldValue = ({ value, dataset }) => {
  if (dataset.type === "int") return Number(value);
  if (dataset.type === "bool") return value === "true";
  if (dataset.type === "list") return value.split(",");
  return value;
};

const valuesOf = (form) =>
  Object.fromEntries(
    [...form.elements]
      .filter((field) => field.name)
      .map((field) => [field.name, fieldValue(field)]),
  );

const quoteForShell = (text) =>
  /^[\w.,@%+=:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

// Writes the command of a dialog with what is chosen in it: @TRIALS@ becomes the number of trials.
const showCommand = (form) => {
  let command = form.dataset.cli;
  for (const [name, value] of Object.entries(valuesOf(form)))
    command = command.replace(`@${name.toUpperCase()}@`, () => quoteForShell(String(value)));
  form.querySelector("[data-command]").textContent = command.replace(" --budget @BUDGET@", "");
};

const carryOut = async (form) => {
  const values = valuesOf(form);
  const { url, method } = form.dataset;
  if (method === "GET") {
    await download(`${url}?${new URLSearchParams(values)}`);
    return;
  }
  const answer = await sendChange(url, values, method);
  if (answer.headers.has("Content-Disposition")) {
    await saveAnswer(answer);
    return;
  }
  const done = await answer.json();
  showOnNextPage(done.message ?? `${done.verb} of ${done.name}: ${done.status}`, done.command);
  const page = `/sweeps/${done.name}`;
  if (method === "DELETE") location.assign("/");
  else if (done.name && !`${location.pathname}/`.startsWith(`${page}/`)) location.assign(page);
  else location.reload();
};

const openDialog = (dialog) => {
  showCommand(dialog.querySelector("form"));
  dialog.showModal();
};

const copyCommand = async (button) => {
  const { textContent } = button.parentElement.querySelector("code");
  await navigator.clipboard?.writeText(textContent);
  button.textContent = "Copied";
};

const sendButton = async (button) => {
  button.disabled = true;
  try {
    const answer = await sendChange(button.dataset.send, {}, button.dataset.method);
    const { message, command } = await answer.json();
    showMessage(message, { command });
    await refreshLiveParts();
  } catch (error) {
    showError(error);
  }
  button.disabled = false;
};

const logOut = async () => {
  await sendChange("/logout", {});
  location.assign("/login");
};

const onClick = (event) => {
  const file = event.target.closest("a[data-file]");
  if (file) {
    event.preventDefault();
    saveFile(file);
    return;
  }
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.open) openDialog(document.getElementById(button.dataset.open));
  else if ("close" in button.dataset) button.closest("dialog").close();
  else if ("copy" in button.dataset) copyCommand(button);
  else if (button.dataset.send) sendButton(button);
  else if ("logout" in button.dataset) logOut();
};

// A link to a file: the page stays, and says what went wrong if it cannot be made.
const saveFile = async (link) => {
  if (link.getAttribute("aria-busy") === "true") return;
  link.setAttribute("aria-busy", "true");
  const problem = link.closest("dialog")?.querySelector("[role=alert]");
  if (problem) problem.hidden = true;
  try {
    await download(link.href);
  } catch (error) {
    if (problem) showProblem(problem, error);
    else showError(error);
  }
  link.removeAttribute("aria-busy");
};

const showProblem = (problem, error) => {
  problem.textContent = error.message;
  problem.hidden = false;
};

const onSubmit = async (event) => {
  const form = event.target.closest("dialog form[data-url]");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("[type=submit]");
  const problem = form.querySelector("[role=alert]");
  const waiting = form.querySelector("[data-waiting]");
  problem.hidden = true;
  button.disabled = true;
  if (waiting) waiting.hidden = false;
  try {
    await carryOut(form);
    form.closest("dialog").close();
  } catch (error) {
    showProblem(problem, error);
  }
  if (waiting) waiting.hidden = true;
  button.disabled = false;
};

export const handleDialogs = () => {
  document.addEventListener("click", onClick);
  document.addEventListener("submit", onSubmit);
  document.addEventListener("input", (event) => {
    const form = event.target.closest("dialog form[data-cli]");
    if (form) showCommand(form);
  });
};
