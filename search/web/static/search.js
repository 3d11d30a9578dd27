// Results as one types: the server's own fragment replaces the old one. Without this script the form works alone.
const form = document.querySelector("form.search");
const results = document.getElementById("results");
const PAUSE = 120; // milliseconds without a keystroke before a search is sent
let timer, pending;

async function search() {
  pending?.abort();
  pending = new AbortController();
  const fields = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch("/results?" + fields, { signal: pending.signal });
    results.innerHTML = await answer.text();
    history.replaceState(null, "", form.q.value.trim() ? "/?" + fields : "/");
  } catch (error) {
    if (error.name !== "AbortError") results.innerHTML = '<p class="problem">The service does not answer. Try again.</p>';
  }
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, PAUSE);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  search();
});
