// The timeline while the page shows another moment: the lines around it, with the one that is shown marked.

import { fillMoment } from "../experiments/timeline.js";
import { cloneTemplate, setHidden, slot } from "../dom.js";

// So few before the current one that it is in sight without scrolling, which would ask for the layout in each frame.
const BEFORE = 5;
const AFTER = 12;

/** `chosen` is called with an entry's number when somebody chose its line. */
export function createMoments(root, chosen) {
  const list = slot(root, "log");
  const box = slot(root, "log-box");
  const older = root.querySelector("[data-older]");
  let kept = null; // the lines that stood there before
  let items = [];
  let first = -1;
  let track = null;

  function line(place) {
    items[place] ??= cloneTemplate("template-timeline").querySelector("li");
    return items[place];
  }

  function choose(event) {
    const moment = event.target.closest("a[data-slot=moment]");
    if (moment === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    chosen(Number(moment.closest("li").dataset.seq));
  }

  return {
    enter(next) {
      if (list === null) return;
      track = next;
      first = -1;
      if (kept !== null) return;
      kept = [...list.children];
      list.addEventListener("click", choose);
      list.replaceChildren();
      if (box !== null) box.scrollTop = 0;
      setHidden(older, true);
      setHidden(slot(root, "no-log"), next.told.length > 0);
    },
    show(position, columns) {
      if (list === null) return;
      const modes = new Map(columns.map((column) => [column.key, column.mode]));
      const current = track.toldAt(position);
      const begin = Math.max(0, current - BEFORE);
      const end = Math.min(track.told.length, begin + BEFORE + AFTER);
      if (begin !== first) {
        first = begin;
        for (let told = begin; told < end; told += 1) fillMoment(line(told - begin), track.item(track.told[told]), modes);
        const wanted = items.slice(0, end - begin);
        if (list.children.length !== wanted.length) list.replaceChildren(...wanted);
      }
      for (let told = begin; told < end; told += 1) {
        const li = line(told - begin);
        li.classList.toggle("later", told > current);
        if (told === current) li.setAttribute("aria-current", "step");
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
