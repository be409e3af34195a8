// Sends the password, and says why it did not open.
const form = document.querySelector("form");
const password = document.querySelector("#password");
const message = document.querySelector("#message");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  message.textContent = "";
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "content-type": "application/json", "x-llm-router-page": "login" },
      body: JSON.stringify({ password: password.value }),
    });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    message.textContent = (await answer.json()).error.message;
  } catch {
    message.textContent = "The router does not answer.";
  }
  password.value = "";
  password.focus();
});
