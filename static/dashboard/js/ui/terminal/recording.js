// Plays a recording part by part. Without this script all of it is shown.

import { setText } from "../dom.js";

const MAX_WAIT_MS = 2000;

export function createRecording(main) {
  const tools = main.querySelector("[data-recording]");
  const parts = [...main.querySelectorAll("[data-at]")];
  const range = tools.querySelector("input");
  const button = tools.querySelector("button");
  let timer = 0;

  function show(count) {
    range.value = count;
    parts.forEach((part, number) => {
      part.hidden = number >= count;
    });
    const last = parts[count - 1];
    range.setAttribute("aria-valuetext", last.querySelector("time").textContent);
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    setText(button, button.dataset.play);
  }

  function next() {
    const count = Number(range.value);
    if (count >= parts.length) {
      pause();
      return;
    }
    const wait = 1000 * (parts[count].dataset.at - parts[count - 1].dataset.at);
    timer = setTimeout(() => {
      show(count + 1);
      parts[count].scrollIntoView({ block: "nearest" });
      next();
    }, Math.min(MAX_WAIT_MS, Math.max(0, wait)));
  }

  button.addEventListener("click", () => {
    if (timer) {
      pause();
      return;
    }
    if (Number(range.value) >= parts.length) show(1);
    setText(button, button.dataset.pause);
    next();
  });
  range.addEventListener("input", () => {
    pause();
    show(Number(range.value));
  });
}
