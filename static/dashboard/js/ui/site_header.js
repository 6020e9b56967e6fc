// Parts of every page: theme button, menu, copy buttons, local times.

import { fill, formatMoment } from "../core/format.js";
import { remember } from "../io/storage.js";
import { announce, setText, words } from "./dom.js";

const THEMES = ["auto", "light", "dark"];

export function createThemeButton() {
  const root = document.documentElement;
  const button = document.querySelector("[data-theme-button]");
  if (!button) return;
  const label = button.querySelector("[data-theme-name]");
  const show = () => setText(label, fill(words.theme, { name: words.themes[root.dataset.theme ?? "auto"] }));
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    remember("theme", next === "auto" ? null : next);
    show();
  });
  show();
}

export function createMenu() {
  const button = document.querySelector("[data-menu]");
  const header = document.querySelector("header.top");
  if (!button) return;
  button.addEventListener("click", () => {
    const open = header.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
  });
  header.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !header.classList.contains("open")) return;
    button.click();
    button.focus();
  });
}

/** Copy buttons next to a <code>. Without access to the clipboard the text is selected instead. */
export function createCopyButtons() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button === null) return;
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 1600);
      announce(words.copied);
    } catch {
      getSelection().selectAllChildren(code);
      button.dataset.byHand = words.copyByHand;
      setTimeout(() => delete button.dataset.byHand, 5000);
      announce(words.copyByHand);
    }
  });
}

export function createLocalTimes() {
  for (const time of document.querySelectorAll("time[data-local-time]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      time.textContent = formatMoment(moment, time.closest(".notice") ? "medium" : "short");
    }
  }
}
