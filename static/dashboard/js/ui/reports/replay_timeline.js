// The timeline during a replay: the lines around the current one, which is marked.

import { fillMoment } from "../experiments/timeline.js";
import { cloneTemplate, isPlainClick, setHidden, slot } from "../dom.js";

// Few enough that the current line is visible without scrolling, which would force a layout in each frame.
const BEFORE = 5;
const AFTER = 12;

/** `chosen` is called with the number of an entry when its line is clicked. */
export function createReplayTimeline(root, chosen) {
  const list = slot(root, "log");
  const box = slot(root, "log-box");
  const older = root.querySelector("[data-older]");
  let kept = null; // the lines before the replay
  let items = [];
  let first = -1;
  let recording = null;

  function line(place) {
    items[place] ??= cloneTemplate("template-timeline").querySelector("li");
    return items[place];
  }

  function choose(event) {
    const moment = event.target.closest("a[data-slot=moment]");
    if (moment === null || !isPlainClick(event)) return;
    event.preventDefault();
    chosen(Number(moment.closest("li").dataset.seq));
    // The next frame moves the lines. The focus may have left them by then.
    requestAnimationFrame(() => {
      const { activeElement } = document;
      if (activeElement !== document.body && !list.contains(activeElement)) return;
      list.querySelector("li[aria-current] a[data-slot=moment]")?.focus();
    });
  }

  return {
    enter(next) {
      if (list === null) return;
      recording = next;
      first = -1;
      if (kept !== null) return;
      kept = [...list.children];
      list.addEventListener("click", choose);
      list.replaceChildren();
      if (box !== null) box.scrollTop = 0;
      setHidden(older, true);
      setHidden(slot(root, "no-log"), next.lines.length > 0);
    },
    show(position, columns) {
      if (list === null) return;
      const modes = new Map(columns.map((column) => [column.key, column.mode]));
      const current = recording.lineAt(position);
      const begin = Math.max(0, current - BEFORE);
      const end = Math.min(recording.lines.length, begin + BEFORE + AFTER);
      if (begin !== first) {
        first = begin;
        for (let index = begin; index < end; index += 1) {
          fillMoment(line(index - begin), recording.item(recording.lines[index]), modes);
        }
        // Lines that stay keep the focus.
        while (list.children.length > end - begin) list.lastElementChild.remove();
        list.append(...items.slice(list.children.length, end - begin));
      }
      for (let index = begin; index < end; index += 1) {
        const li = line(index - begin);
        li.classList.toggle("later", index > current);
        if (index === current) li.setAttribute("aria-current", "step");
        else li.removeAttribute("aria-current");
      }
    },
    leave() {
      if (list === null || kept === null) return;
      list.removeEventListener("click", choose);
      list.replaceChildren(...kept);
      kept = null;
    },
  };
}
