// Loaded before anything is drawn, so that a theme that was chosen never flashes. The system's is the default.
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
root.classList.add("js");

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is switched off
  }
}

function apply(theme) {
  if (theme) root.dataset.theme = theme;
  const other = (theme ? theme === "dark" : dark.matches) ? "Light" : "Dark";
  const button = document.querySelector("[data-theme-switch]");
  if (button) button.textContent = other;
}

apply(stored("theme"));
dark.addEventListener("change", () => apply(stored("theme")));
addEventListener("DOMContentLoaded", () => {
  apply(stored("theme"));
  document.querySelector("[data-theme-switch]").addEventListener("click", (event) => {
    const theme = event.target.textContent.toLowerCase();
    try {
      localStorage.setItem("theme", theme);
    } catch {} // it holds for this page alone
    apply(theme);
  });
});
