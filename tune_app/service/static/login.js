const form = document.getElementById("login");
const problem = form.querySelector(".error");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  const answer = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: form.elements.token.value }),
  }).catch(() => null);
  if (answer?.ok) return location.replace("/");
  const said = await answer?.json().catch(() => null);
  problem.textContent = said?.error.message ?? "The service does not answer.";
  problem.hidden = false;
  form.elements.token.select();
});
