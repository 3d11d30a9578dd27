// On every page: the working list (kept in this browser alone), copying, ticks for comparing, and "/" for the box.
const MOST_COMPARED = 4;

export function read(name) {
  try {
    const found = JSON.parse(localStorage.getItem(name));
    return Array.isArray(found) ? found : [];
  } catch {
    return []; // never written, written by something else, or storage is switched off
  }
}

export function write(name, entries) {
  try {
    localStorage.setItem(name, JSON.stringify(entries));
  } catch {
    say("This browser does not let the page keep anything.");
  }
  mark();
}

export function say(text) {
  const region = document.getElementById("said");
  region.textContent = ""; // the same words twice are said twice
  requestAnimationFrame(() => (region.textContent = text));
}

// Shows on buttons and in the header what the list holds.
export function mark(within = document) {
  const kept = read("kept");
  const names = new Set(kept.map((entry) => `${entry.system}:${entry.code}`));
  for (const button of within.querySelectorAll("[data-keep]")) {
    const held = names.has(button.dataset.keep);
    button.firstChild.data = held ? "Kept" : "Keep";
    button.classList.toggle("kept", held);
  }
  const count = document.querySelector("[data-kept-count]");
  count.textContent = kept.length;
  count.hidden = !kept.length;
}

// A result's own heading is the title; elsewhere the button carries it.
function titleOf(button) {
  const [code, ...words] = button.closest(".hits li")?.querySelector("h3").textContent.trim().split(/\s+/) ?? [];
  return code ? words.join(" ") : button.dataset.title;
}

function toggle(button) {
  const [system, code] = button.dataset.keep.split(":");
  const kept = read("kept");
  const others = kept.filter((entry) => entry.system !== system || entry.code !== code);
  const added = others.length === kept.length;
  if (added) others.push({ system, code, title: titleOf(button), note: "", kept: new Date().toISOString().slice(0, 10) });
  write("kept", others);
  say(added ? `${code} is in the working list.` : `${code} is no longer in the working list.`);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard outside a secure context: the old way works there.
    const area = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`Copied: ${text.length > 60 ? text.slice(0, 60) + "…" : text}`);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-keep], [data-copy]");
  if (!button) return;
  if (button.dataset.keep) return toggle(button);
  await copy(button.dataset.copy);
  const label = button.firstChild;
  label.dataBefore ??= label.data;
  label.data = "Copied";
  setTimeout(() => (label.data = label.dataBefore), 1500);
});

document.addEventListener("change", (event) => {
  if (event.target.name !== "codes" || event.target.type !== "checkbox") return;
  const fields = [...event.target.form.elements.codes];
  const full = fields.filter((field) => field.checked || field.type === "hidden").length >= MOST_COMPARED;
  for (const field of fields) if (field.type === "checkbox") field.disabled = full && !field.checked;
});

document.addEventListener("keydown", (event) => {
  const box = document.getElementById("q");
  if (event.key !== "/" || !box || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input:not([type=checkbox]), textarea")) return;
  event.preventDefault();
  box.focus();
  box.select();
});

addEventListener("storage", () => mark());
addEventListener("pageshow", () => mark());
mark();
