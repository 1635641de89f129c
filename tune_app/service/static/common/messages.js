// Short messages in the corner of a page.

const SHOWN_MS = 6_000;
const ERROR_SHOWN_MS = 12_000;
const NEXT_PAGE_KEY = "message";

export const showMessage = (text, { isError = false, command = "" } = {}) => {
  const box = document.createElement("div");
  box.className = isError ? "message error" : "message";
  box.append(text);
  if (command) {
    const code = document.createElement("code");
    code.textContent = command;
    box.append(document.createElement("br"), code);
  }
  document.getElementById("messages").append(box);
  setTimeout(() => box.remove(), isError ? ERROR_SHOWN_MS : SHOWN_MS);
};

export const showError = (error) => showMessage(error.message, { isError: true });

// Keeps a message for the page that is opened next.
export const showOnNextPage = (text, command = "") =>
  sessionStorage.setItem(NEXT_PAGE_KEY, JSON.stringify({ text, command }));

export const showKeptMessage = () => {
  const kept = sessionStorage.getItem(NEXT_PAGE_KEY);
  if (!kept) return;
  sessionStorage.removeItem(NEXT_PAGE_KEY);
  const { text, command } = JSON.parse(kept);
  showMessage(text, { command });
};
