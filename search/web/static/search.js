// Results as one types: the server's own fragments replace the old ones. Without this script the form works alone.
import "/static/suggest.js";
import { mark, read, say, write } from "/static/keep.js";

const PAUSE = 40; // milliseconds without a keystroke before a search is sent
const CALM = 250; // and before the filters are counted, which takes a search of its own
const RECENT = 8;
const narrow = matchMedia("(max-width: 60rem)");
const form = document.querySelector("form.search");
const found = document.querySelector(".found");
const results = document.getElementById("results");
const filters = document.getElementById("filters");
let current = new URLSearchParams(location.search); // what was asked for last
let settled = true; // the next change is a new step back in the history, not a letter more
let typing, calm, pending, opened;

const address = (fields) => (fields.get("q")?.trim() ? "/?" + fields : "/");

async function show(fields, record, pause = CALM) {
  clearTimeout(typing);
  clearTimeout(calm);
  pending?.abort();
  const asked = (pending = new AbortController());
  current = fields;
  results.setAttribute("aria-busy", "true");
  let html;
  try {
    html = await (await fetch("/results?" + fields, { signal: asked.signal })).text();
  } catch (error) {
    if (error.name === "AbortError") return; // a newer search is on its way
    html = '<div class="notice problem"><p>The service does not answer. Try again.</p></div>';
  }
  if (asked !== pending) return;
  const ticked = new Set([...results.querySelectorAll("[name=codes]:checked")].map((box) => box.value));
  results.innerHTML = html;
  for (const box of results.querySelectorAll("[name=codes]")) box.checked = ticked.has(box.value);
  results.removeAttribute("aria-busy");
  if (record && address(fields) !== location.pathname + location.search) {
    history[record + "State"](null, "", address(fields));
    settled = false;
  }
  document.title = (fields.get("q")?.trim() ? fields.get("q").trim() + " – " : "") + "Procedure code search";
  arrived();
  if (results.querySelector(".hits, .chips")) calm = setTimeout(count, pause, asked);
  else filters.replaceChildren();
}

async function count(asked) {
  try {
    const html = await (await fetch("/filters?" + current, { signal: asked.signal })).text();
    if (asked !== pending) return;
    const focused = filters.contains(document.activeElement) && label(document.activeElement);
    filters.innerHTML = html;
    folded();
    if (focused) [...filters.querySelectorAll("a")].find((link) => label(link) === focused)?.focus();
  } catch {} // dropped, or away: the results have said so
}

const label = (choice) => choice.firstElementChild?.textContent;

// On a narrow screen filters stand above the results, closed until one opens them.
function folded() {
  const details = filters.querySelector("details");
  if (!details) return;
  details.open = opened ?? !narrow.matches;
  details.querySelector("summary").addEventListener("click", () => (opened = !details.open));
}

function arrived() {
  found.classList.toggle("welcoming", !!results.querySelector(".welcome"));
  mark(results);
  say(results.querySelector("[data-said]")?.dataset.said ?? "");
  const recent = document.getElementById("recent");
  const searches = read("searches").filter((text) => typeof text === "string");
  if (!recent || !searches.length) return;
  recent.hidden = false;
  recent.querySelector("ul").replaceChildren(
    ...searches.map((text) => {
      const link = Object.assign(document.createElement("a"), { href: "/?" + new URLSearchParams({ q: text }), textContent: text });
      link.dataset.go = "";
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  recent.querySelector("button").addEventListener("click", () => {
    write("searches", []);
    recent.hidden = true;
  });
}

function remember() {
  const text = form.q.value.trim();
  settled = true;
  if (text) write("searches", [text, ...read("searches").filter((other) => other !== text)].slice(0, RECENT));
}

function typed() {
  const fields = new URLSearchParams(current);
  fields.set("q", form.q.value);
  fields.delete("offset");
  fields.delete("spelling");
  return fields;
}

form.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => show(typed(), settled ? "push" : "replace"), PAUSE);
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await show(typed(), settled ? "push" : "replace");
  remember();
});
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a");
  if (link?.closest(".hits")) remember();
  if (!link || !("go" in link.dataset) || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const fields = new URL(link.href).searchParams;
  const paged = link.closest(".pages");
  form.q.value = fields.get("q") ?? "";
  await show(fields, "push", 0);
  remember();
  if (paged) scrollTo(0, 0);
  // What had the focus went with the old results.
  if (document.activeElement === document.body) results.querySelector(".hits h3 a")?.focus({ preventScroll: true });
});
addEventListener("popstate", async () => {
  const fields = new URLSearchParams(location.search);
  form.q.value = fields.get("q") ?? "";
  await show(fields, "");
  settled = true;
});

document.addEventListener("keydown", (event) => {
  const links = [...results.querySelectorAll(".hits h3 a")];
  const place = links.indexOf(document.activeElement);
  const inBox = document.activeElement === form.q;
  if (event.key === "ArrowDown" && (inBox || place >= 0)) links[Math.min(place + 1, links.length - 1)]?.focus();
  else if (event.key === "ArrowUp" && place >= 0) (links[place - 1] ?? form.q).focus();
  else if (event.key === "Escape" && results.contains(document.activeElement)) form.q.focus();
  else return;
  event.preventDefault();
});

for (const field of form.querySelectorAll("input[type=hidden]")) field.remove(); // `current` holds them
folded();
arrived();
if (!form.q.value && !narrow.matches) form.q.focus();
