// The timeline, newest last. The page has the last 200 entries; a button shows older ones.

import { fill, formatMoment, formatOffset, visibleText } from "../../core/format.js";
import { cloneTemplate, setHidden, setText, modeIcon, slot, words } from "../dom.js";

const SHOWN = 200;

/** Fills one entry; `li` may have shown another one before. */
export function fillMoment(li, item, modes) {
  li.dataset.seq = item.seq;
  setText(slot(li, "offset"), formatOffset(item.offset_s));
  const moment = slot(li, "moment");
  if (moment.localName === "a") moment.setAttribute("href", `?at=${item.seq}`);
  moment.title = formatMoment(new Date(item.at * 1000));
  setText(slot(li, "text"), visibleText(item.text));
  setText(slot(li, "cause"), item.cause);
  const marks = item.columns.filter((key) => modes.has(key)).map((key) => {
    const mark = document.createElement("span");
    mark.dataset.mode = modes.get(key);
    mark.title = key;
    mark.append(modeIcon(modes.get(key)));
    return mark;
  });
  slot(li, "marks").replaceChildren(...marks);
  return li;
}

function makeItem(item, modes) {
  return fillMoment(cloneTemplate("template-timeline").querySelector("li"), item, modes);
}

export function createTimeline(root) {
  const box = slot(root, "log-box");
  const list = slot(root, "log");
  const older = root.querySelector("[data-older]");
  let shown = SHOWN;
  let items = [];
  let modes = new Map();

  function refresh() {
    setHidden(slot(root, "no-log"), items.length > 0);
    const hidden = Math.max(0, items.length - list.children.length);
    setHidden(older, hidden === 0);
    setText(older, fill(words.older, { count: hidden }));
  }

  function redraw() {
    list.replaceChildren(...items.slice(-shown).map((item) => makeItem(item, modes)));
    refresh();
  }

  older.addEventListener("click", () => {
    shown += SHOWN;
    const height = box.scrollHeight;
    redraw();
    box.scrollTop += box.scrollHeight - height;
  });
  box.scrollTop = box.scrollHeight;

  return {
    draw(model, dirty) {
      modes = new Map(model.columns.map((column) => [column.key, column.mode]));
      items = model.timeline;
      if (!dirty.everything && dirty.timeline.length === 0) return;
      // Reads the layout, so only if there is something to append.
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      if (dirty.everything) {
        redraw();
      } else {
        list.append(...dirty.timeline.slice(-shown).map((item) => makeItem(item, modes)));
        while (list.children.length > shown) list.firstElementChild.remove();
        refresh();
      }
      if (atEnd) box.scrollTop = box.scrollHeight;
    },
  };
}
