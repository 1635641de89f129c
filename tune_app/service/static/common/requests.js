// Requests to the service. A failed one throws an Error whose message is fit to be shown.

const NO_CONNECTION = "No connection to the service. Try again in a moment.";

const ask = async (url, init) => {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(NO_CONNECTION);
  }
};

const errorOf = async (answer) => {
  if (answer.status === 401) location.reload(); // the session ended: the login page follows
  const body = await answer.json().catch(() => null);
  const problems = body?.error?.problems ?? [];
  const lines = problems.map(
    ({ line, key, text }) => `${line ? `line ${line}: ` : ""}${key}: ${text}`,
  );
  const message = body?.error?.message ?? `The service answered with status ${answer.status}.`;
  return Object.assign(new Error([message, ...lines].join("\n")), {
    status: answer.status,
    isBusy: answer.status === 503 && answer.headers.has("Retry-After"),
  });
};

const answerOf = async (url, init) => {
  const answer = await ask(url, init);
  if (!answer.ok) throw await errorOf(answer);
  return answer;
};

export const getJson = async (url, { signal } = {}) => {
  const answer = await answerOf(url, { headers: { Accept: "application/json" }, signal });
  return answer.json();
};

const BUSY_WAITS_S = [1, 2, 4, 8, 15, 30, 60];

// The same, and asks again while the service says that it has too much to do.
export const getJsonPatiently = async (url) => {
  for (const wait of BUSY_WAITS_S) {
    try {
      return await getJson(url);
    } catch (error) {
      if (!error.isBusy) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    }
  }
  return getJson(url);
};

// Sends a change: POST with a JSON body, or DELETE without one.
export const sendChange = async (url, body, method = "POST") => {
  const init = { method };
  if (method !== "DELETE") {
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(body ?? {});
  }
  return answerOf(url, init);
};

// Returns a page of the service as a document.
export const getPage = async (url, { signal } = {}) => {
  const answer = await answerOf(url, { headers: { Accept: "text/html" }, signal });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

// Saves the file of an answer under the name that the service gave it.
export const saveAnswer = async (answer) => {
  const named = answer.headers.get("Content-Disposition")?.match(/filename="([^"]+)"/);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = named?.[1] ?? "download";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

// Fetches a file and saves it. The page stays, and an error can be told on it.
export const download = async (url) => saveAnswer(await answerOf(url));
