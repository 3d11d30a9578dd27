// Suggestions under the box: an ARIA combobox. Plain Enter is never taken: only a suggestion that was walked to is.
const PAUSE = 40; // milliseconds without a keystroke before the server is asked
const MOST = 6;
const input = document.getElementById("q");
const list = document.getElementById("suggestions");
let timer, pending, chosen = -1;

function close() {
  clearTimeout(timer);
  pending?.abort();
  list.hidden = true;
  chosen = -1;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function told(entry) {
  if (entry.kind === "code") return entry.title;
  if (entry.code) return entry.code;
  return entry.words ? `= ${entry.words}` : entry.codes ? `${entry.codes} codes` : "";
}

function open(entries) {
  list.replaceChildren(
    ...entries.map((entry, place) => {
      const option = document.createElement("li");
      option.id = `suggestion-${place}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.text = entry.text;
      option.append(entry.text, Object.assign(document.createElement("span"), { textContent: told(entry) }));
      return option;
    }),
  );
  chosen = -1;
  list.hidden = !entries.length;
  input.setAttribute("aria-expanded", String(!list.hidden));
  input.removeAttribute("aria-activedescendant");
}

async function ask() {
  pending?.abort();
  pending = new AbortController();
  try {
    const fields = new URLSearchParams({ q: input.value, limit: MOST });
    const answer = await fetch("/api/suggest?" + fields, { signal: pending.signal });
    if (answer.ok && document.activeElement === input) open((await answer.json()).suggestions);
  } catch {} // dropped, or the service is away: the search says so
}

function walk(step) {
  const options = list.children;
  options[chosen]?.setAttribute("aria-selected", "false");
  chosen = ((chosen + 1 + step + options.length + 1) % (options.length + 1)) - 1;
  options[chosen]?.setAttribute("aria-selected", "true");
  if (chosen < 0) input.removeAttribute("aria-activedescendant");
  else input.setAttribute("aria-activedescendant", options[chosen].id);
}

function take(option) {
  input.value = option.dataset.text;
  close();
  input.form.requestSubmit();
}

function pressed(event) {
  if (list.hidden) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") walk(event.key === "ArrowDown" ? 1 : -1);
  else if (event.key === "Escape") close();
  else if (event.key === "Enter" && chosen >= 0) take(list.children[chosen]);
  else {
    if (event.key === "Enter" || event.key === "Tab") close();
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
}

for (const [name, value] of Object.entries({
  role: "combobox", "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list",
})) input.setAttribute(name, value);
input.addEventListener("keydown", pressed);
input.addEventListener("input", () => {
  clearTimeout(timer);
  if (input.value.trim().length < 2) return close();
  timer = setTimeout(ask, PAUSE);
});
input.addEventListener("blur", close);
input.form.addEventListener("submit", close);
list.addEventListener("pointerdown", (event) => {
  event.preventDefault(); // the box keeps the focus
  const option = event.target.closest("li");
  if (option) take(option);
});
// What stands under the list is wanted more than the list.
document.getElementById("results")?.addEventListener("pointerenter", close);
