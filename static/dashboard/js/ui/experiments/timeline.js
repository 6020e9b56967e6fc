// What happened, newest last. The last 200 lines stand in the page; older ones come when asked for.

import { fill, sayOffset, visibleText } from "../../core/format.js";
import { cloneTemplate, setHidden, setText, shapeOf, slot, words } from "../dom.js";

const SHOWN = 200;
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

/** One line; `li` may have shown another one before. */
export function fillMoment(li, item, modes) {
  li.dataset.seq = item.seq;
  setText(slot(li, "offset"), sayOffset(item.offset_s));
  const moment = slot(li, "moment");
  if (moment.localName === "a") moment.setAttribute("href", `?at=${item.seq}`);
  moment.title = MOMENT.format(item.at * 1000);
  setText(slot(li, "text"), visibleText(item.text));
  setText(slot(li, "cause"), item.cause);
  const marks = item.columns.filter((key) => modes.has(key)).map((key) => {
    const mark = document.createElement("span");
    mark.dataset.mode = modes.get(key);
    mark.title = key;
    mark.append(shapeOf(modes.get(key)));
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
      // Asks for the layout, so only when there is something to append.
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
