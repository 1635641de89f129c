// The login page, which carries this script in itself: nothing else is served without a token.

const form = document.getElementById("login");
const problem = form.querySelector("[role=alert]");

const errorOf = async (answer) => {
  if (!answer) return "No connection to the service.";
  const body = await answer.json().catch(() => null);
  return body?.error?.message ?? `The service answered with status ${answer.status}.`;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  const answer = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: form.elements.token.value }),
  }).catch(() => null);
  if (answer?.ok) {
    location.replace("/");
    return;
  }
  problem.textContent = await errorOf(answer);
  problem.hidden = false;
  form.elements.token.select();
});
