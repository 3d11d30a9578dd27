// The working list: drawn from what this browser keeps, and exported here, so that the server never sees it.
import { copy, mark, read, say, write } from "/static/keep.js";

const SYSTEMS = { cpt: "CPT", hcpcs: "HCPCS Level II", icd10pcs: "ICD-10-PCS" };
const COLUMNS = ["system", "code", "title", "note", "kept"];
const place = document.getElementById("kept");
const part = (name) => document.getElementById(name).content.cloneNode(true);

function row(entry) {
  const shown = part("row");
  const link = shown.querySelector("a");
  const code = Object.assign(document.createElement("span"), { className: "code", textContent: entry.code });
  link.href = `/codes/${encodeURIComponent(entry.system)}/${encodeURIComponent(entry.code)}`;
  link.append(code, " ", entry.title);
  shown.querySelector(".meta").textContent = `${SYSTEMS[entry.system] ?? entry.system}, kept ${entry.kept}`;
  const note = shown.querySelector("textarea");
  note.id = `note-${entry.system}-${entry.code}`;
  note.value = entry.note;
  Object.assign(shown.querySelector("label"), { htmlFor: note.id, textContent: `Note on ${entry.code}` });
  note.addEventListener("input", () => {
    write("kept", read("kept").map((other) => (same(other, entry) ? { ...other, note: note.value } : other)));
  });
  shown.querySelector("[name=codes]").value = `${entry.system}:${entry.code}`;
  for (const span of shown.querySelectorAll(".act .unseen")) span.textContent = ` ${entry.code}`;
  shown.querySelector("button").addEventListener("click", () => {
    write("kept", read("kept").filter((other) => !same(other, entry)));
    say(`${entry.code} is no longer in the working list.`);
    draw();
  });
  return shown;
}

const same = (one, other) => one.system === other.system && one.code === other.code;

function draw() {
  const kept = read("kept");
  const shown = part(kept.length ? "table" : "empty");
  shown.querySelector("tbody")?.append(...kept.map(row));
  place.replaceChildren(shown);
}

// A spreadsheet would run a cell that begins like a formula.
const cell = (text) => `"${String(text).replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;

function save(name, type, text) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
  say(`Exported: ${name}`);
}

place.addEventListener("click", (event) => {
  const kept = read("kept").map((entry) => Object.fromEntries(COLUMNS.map((name) => [name, entry[name] ?? ""])));
  switch (event.target.dataset.export) {
    case "csv":
      // The mark in front tells spreadsheets that it is UTF-8.
      return save("codes.csv", "text/csv", "\ufeff" + [COLUMNS, ...kept.map(Object.values)].map((cells) => cells.map(cell).join(",") + "\r\n").join(""));
    case "json":
      return save("codes.json", "application/json", JSON.stringify(kept, null, 2) + "\n");
    case "text":
      return copy(kept.map((entry) => [`${SYSTEMS[entry.system]} ${entry.code}`, entry.title, entry.note].filter(Boolean).join(" – ")).join("\n"));
    case "clear":
      if (!confirm("Empty the working list? Its notes are lost.")) return;
      write("kept", []);
      return draw();
  }
});

addEventListener("storage", draw);
draw();
mark();
