// The timeline, newest last. The page has the last 200 entries, and the number of earlier ones.

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
  box.scrollTop = box.scrollHeight;

  return {
    draw(model, dirty) {
      if (!dirty.everything && dirty.timeline.length === 0) return;
      const modes = new Map(model.columns.map((column) => [column.key, column.mode]));
      // Reads the layout, so only if there is something to append.
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      const items = dirty.everything ? model.timeline : dirty.timeline;
      if (dirty.everything) list.replaceChildren();
      list.append(...items.slice(-SHOWN).map((item) => makeItem(item, modes)));
      while (list.children.length > SHOWN) list.firstElementChild.remove();
      setHidden(slot(root, "no-log"), model.timeline.length > 0);
      const omitted = model.omitted + model.timeline.length - list.children.length;
      setHidden(older, omitted === 0);
      setText(slot(older, "omitted"), fill(words.omitted, { count: omitted }));
      if (atEnd) box.scrollTop = box.scrollHeight;
    },
  };
}
