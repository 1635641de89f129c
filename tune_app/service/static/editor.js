// The editor of a search file: checked while somebody types, its keys completed, its draft kept.

import { showOnNextPage } from "./common/messages.js";
import { sendChange } from "./common/requests.js";
import { Completion } from "./editor/completion.js";
import { Draft } from "./editor/draft.js";
import { showForecast } from "./editor/forecast.js";
import { Problems } from "./editor/problems.js";

const TYPING_MS = 350; // after the last key, the file is checked

const byId = (id) => document.getElementById(id);

const insertSpaces = (area) => {
  area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input"));
};

// Escape closes the completions; pressed again, it lets the next Tab leave the editor.
const handleKeys = (area, completion) => {
  let mayLeave = false;
  const actions = {
    ArrowDown: () => completion.move(1),
    ArrowUp: () => completion.move(-1),
    Enter: () => completion.accept(),
    Tab: () => completion.accept(),
  };
  area.addEventListener("keydown", (event) => {
    const { key, ctrlKey, shiftKey } = event;
    if (key === "Escape") {
      mayLeave = !completion.isOpen;
      completion.close();
      return;
    }
    if (key === " " && ctrlKey) completion.open();
    else if (completion.isOpen && key in actions) actions[key]();
    else if (key === "Tab" && !mayLeave && !shiftKey) insertSpaces(area);
    else {
      mayLeave = false;
      return;
    }
    event.preventDefault();
  });
  area.addEventListener("blur", () => completion.close());
};

const handleTyping = (area, { problems, completion, draft }) => {
  let timer = null;
  area.addEventListener("input", () => {
    draft.keep(area.value);
    problems.showNumbers();
    clearTimeout(timer);
    timer = setTimeout(() => problems.check(), TYPING_MS);
    if (completion.isOpen) completion.update();
  });
  area.addEventListener("scroll", () => {
    problems.numbers.scrollTop = area.scrollTop;
  });
};

// What was typed here before comes back, until somebody discards it.
const restoreDraft = (area, draft, problems) => {
  const notice = byId("draft-notice");
  const { kept } = draft;
  if (kept !== null) area.value = kept;
  notice.hidden = kept === null;
  notice.querySelector("button").addEventListener("click", () => {
    draft.discard();
    area.value = draft.starter;
    notice.hidden = true;
    problems.check();
  });
};

// Another starter is opened after a question, if there is a draft of this one.
const handleStarters = (form, draft) => {
  if (!form) return;
  const dialog = byId("change-starter");
  const chosen = [...form.elements].map((field) => field.value);
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "change") form.submit();
    else for (const [place, field] of [...form.elements].entries()) field.value = chosen[place];
  });
  form.addEventListener("change", () => {
    if (draft.kept === null) form.submit();
    else {
      dialog.returnValue = "";
      dialog.showModal();
    }
  });
};

const handleStart = (form, area, draft) => {
  const button = form.querySelector("button");
  const problem = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.hidden = true;
    const { name, new: isNew, no_final: noFinal } = form.elements;
    const body = { source: area.value, new: isNew.checked, no_final: noFinal.checked };
    if (name.value) body.name = name.value;
    try {
      const queued = await (await sendChange("/api/v1/sweeps", body)).json();
      draft.discard();
      showOnNextPage(`${queued.name} is in the queue.`, queued.command);
      location.assign("/");
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      button.disabled = false;
    }
  });
};

const openPage = () => {
  const area = byId("source");
  const form = byId("start");
  const problems = new Problems({
    area,
    numbers: document.querySelector(".numbers"),
    verdict: byId("verdict"),
    list: byId("problems"),
    onChecked: (count) => {
      form.querySelector("button").disabled = count > 0;
    },
  });
  const completion = new Completion(area, byId("completions"));
  const draft = new Draft(area.dataset.starter, area.defaultValue);
  restoreDraft(area, draft, problems);
  handleTyping(area, { problems, completion, draft });
  handleKeys(area, completion);
  handleStarters(byId("starters"), draft);
  handleStart(form, area, draft);
  const forecast = byId("forecast");
  forecast.addEventListener("click", async () => {
    forecast.disabled = true;
    await showForecast(byId("forecast-result"), area.value);
    forecast.disabled = false;
  });
  problems.showNumbers();
  problems.check();
};

openPage();
