// What every page has: live events, dialogs that change something, ages of things.

export const get = async (url) => {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(await said(answer));
  return answer.json();
};

export const send = async (url, body, method = "POST") => {
  const init = { method };
  if (method !== "DELETE") {
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(body ?? {});
  }
  const answer = await fetch(url, init);
  if (!answer.ok) throw Object.assign(new Error(await said(answer)), { status: answer.status });
  return answer;
};

const said = async (answer) => {
  if (answer.status === 401) location.reload();
  const body = await answer.json().catch(() => null);
  const problems = body?.error.problems ?? [];
  const lines = problems.map(
    (one) => `${one.line ? `line ${one.line}: ` : ""}${one.key}: ${one.text}`,
  );
  return [body?.error.message ?? `the service answered ${answer.status}`, ...lines].join("\n");
};

export const toast = (text, { error = false, command = "" } = {}) => {
  const box = document.createElement("div");
  box.className = error ? "toast error" : "toast";
  box.append(text);
  if (command) {
    const code = document.createElement("code");
    code.textContent = command;
    box.append(document.createElement("br"), code);
  }
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), error ? 12000 : 6000);
};

// Ages

const UNITS = [
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
export const age = (root = document) => {
  for (const one of root.querySelectorAll("time[data-age]")) {
    const at = Number(one.dataset.age);
    const gone = Math.max(0, Date.now() / 1000 - at);
    const [size, unit] = UNITS.find(([size]) => gone >= size) ?? [1, "second"];
    one.textContent = relative.format(-Math.round(gone / size), unit);
    one.dateTime = new Date(at * 1000).toISOString();
    one.title = new Date(at * 1000).toLocaleString();
  }
};

// Live events: a page says what it does on a change; a hidden one lets go of its stream.

const listeners = [];
export const onChange = (listener) => listeners.push(listener);
const live = document.getElementById("live");
const address = document.body.dataset.events;
let source = null;
let last = document.body.dataset.revision; // what the page shows

const listen = () => {
  source = new EventSource(address);
  source.addEventListener("open", () => {
    live.className = "live on";
    live.textContent = "live";
  });
  source.addEventListener("error", () => {
    live.className = "live off";
    live.textContent = "connecting…";
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
  source.addEventListener("changed", (event) => {
    const state = JSON.parse(event.data);
    if (state.revision === last) return;
    last = state.revision;
    for (const listener of listeners) listener(state);
  });
};

const watch = () => {
  if (document.hidden) {
    source?.close();
    source = null;
    live.textContent = "";
    live.className = "live";
  } else if (!source) listen();
};

// Parts of a page that are replaced as they are on the server now.

export const swap = (fresh, selector) => {
  const old = document.querySelector(selector);
  const made = fresh.querySelector(selector);
  if (!old || !made || old.innerHTML === made.innerHTML) return false;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  const ticked = new Set(
    [...old.querySelectorAll("input[type=checkbox]:checked")].map((one) => one.value),
  );
  const here = document.activeElement;
  const known = old.contains(here)
    ? { id: here.id, href: here.getAttribute("href"), value: here.value, from: here.selectionStart }
    : null;
  const scrolled = old.querySelector(".scroll")?.scrollLeft ?? 0;
  old.replaceChildren(...made.childNodes);
  old.querySelectorAll("details").forEach((one, place) => {
    one.open = open[place] ?? false;
  });
  for (const box of old.querySelectorAll("td input[type=checkbox]"))
    box.checked = ticked.has(box.value);
  if (old.querySelector(".scroll")) old.querySelector(".scroll").scrollLeft = scrolled;
  if (known) {
    const again = known.id
      ? document.getElementById(known.id)
      : known.href
        ? [...old.querySelectorAll("a")].find(
            (one) => one.textContent && one.getAttribute("href") === known.href,
          )
        : null;
    if (again && known.id === "where") {
      again.value = known.value;
      again.setSelectionRange(known.from, known.from);
    }
    again?.focus({ preventScroll: true });
  }
  age(old);
  return true;
};

export const fetchPage = async (url) => {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

if (document.querySelector("[data-live]"))
  onChange(async () => swap(await fetchPage(location.href), "[data-live]"));

// Dialogs

const values = (form) => {
  const body = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.dataset.type === "int") body[field.name] = Number(field.value);
    else if (field.dataset.type === "bool") body[field.name] = field.value === "true";
    else if (field.dataset.type === "list") body[field.name] = field.value.split(",");
    else body[field.name] = field.value;
  }
  return body;
};

const quoted = (text) =>
  /^[\w.,@%+=:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

const tellCommand = (form) => {
  let text = form.dataset.cli;
  for (const [name, value] of Object.entries(values(form)))
    text = text.replace(`@${name.toUpperCase()}@`, () => quoted(String(value)));
  form.querySelector("[data-command]").textContent = text.replace(" --budget @BUDGET@", "");
};

const act = async (form) => {
  const body = values(form);
  if (form.dataset.method === "GET") {
    const link = document.createElement("a");
    link.href = `${form.dataset.url}?${new URLSearchParams(body)}`;
    toast("It is being made; the download begins when it is ready.");
    link.click();
    return;
  }
  const answer = await send(form.dataset.url, body, form.dataset.method);
  const file = answer.headers.get("Content-Disposition")?.match(/filename="([^"]+)"/)?.[1];
  if (file) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = file;
    link.click();
    return;
  }
  const done = await answer.json();
  const shown = done.message ?? `${done.verb} of ${done.name} is ${done.status}`;
  sessionStorage.setItem("toast", JSON.stringify([shown, { command: done.command }]));
  if (form.dataset.method === "DELETE") location.assign("/");
  else if (done.name && !location.pathname.startsWith(`/sweeps/${done.name}`))
    location.assign(`/sweeps/${done.name}`);
  else location.reload();
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.open) {
    const dialog = document.getElementById(button.dataset.open);
    tellCommand(dialog.querySelector("form"));
    dialog.showModal();
  } else if ("close" in button.dataset) button.closest("dialog").close();
  else if ("copy" in button.dataset) {
    const code = button.parentElement.querySelector("code");
    await navigator.clipboard?.writeText(code.textContent);
    button.textContent = "Copied";
  } else if (button.dataset.send) {
    button.disabled = true;
    try {
      const done = await (await send(button.dataset.send, {}, button.dataset.method)).json();
      toast(done.message, { command: done.command });
      swap(await fetchPage(location.href), "[data-live]");
    } catch (error) {
      toast(error.message, { error: true });
      button.disabled = false;
    }
  } else if ("logout" in button.dataset) {
    await send("/logout", {});
    location.assign("/login");
  }
});

document.addEventListener("input", (event) => {
  const form = event.target.closest("dialog form");
  if (form) tellCommand(form);
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("dialog form");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("[type=submit]");
  const problem = form.querySelector(".error");
  problem.hidden = true;
  button.disabled = true;
  try {
    await act(form);
    form.closest("dialog").close();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
  button.disabled = false;
});

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// Only what can be done now is shown.
export const showActions = (status) => {
  for (const one of document.querySelectorAll("[data-when]"))
    one.hidden = !one.dataset.when.split(" ").includes(status);
};

const kept = sessionStorage.getItem("toast");
if (kept) {
  sessionStorage.removeItem("toast");
  toast(...JSON.parse(kept));
}
age();
setInterval(age, 10000);
if (address) {
  document.addEventListener("visibilitychange", watch);
  watch();
}
