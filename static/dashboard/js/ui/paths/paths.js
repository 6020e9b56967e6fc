// The list of paths, and which of them the diagram shows. Without a model the links load a page that shows it.

import { fill } from "../../core/format.js";
import { announce, cloneTemplate, isPlainClick, setHidden, setText, showText, slot, words } from "../dom.js";

function pathUrl(key) {
  const url = new URL(location.href);
  if (key) url.searchParams.set("path", key);
  else url.searchParams.delete("path");
  return url;
}

function updateItem(item, path, chosen) {
  item.dataset.path = path.key;
  item.classList.toggle("missing", path.unavailable !== "");
  const link = slot(item, "link");
  if (path.unavailable) link.removeAttribute("href");
  else link.href = `${pathUrl(chosen ? "" : path.key).search || "?"}#picture-title`;
  if (chosen) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
  const modeName = slot(item, "mode-name");
  modeName.dataset.mode = path.mode;
  modeName.querySelector("use").setAttribute("href", `#shape-${path.mode}`);
  setText(slot(item, "key"), path.key);
  setText(slot(item, "title"), path.title);
  showText(slot(item, "target"), path.target);
  setText(slot(item, "reason"), path.unavailable);
  setHidden(slot(item, "why"), !path.unavailable);
  const hops = slot(item, "hops");
  setHidden(hops, path.hops.length === 0);
  const texts = JSON.stringify(path.hops.map((hop) => hop.text));
  if (hops.dataset.texts === texts) return;
  hops.dataset.texts = texts;
  hops.replaceChildren(...path.hops.map((hop, number) => {
    const place = document.createElement("span");
    place.className = "place";
    place.textContent = String(number + 1);
    const hopItem = document.createElement("li");
    hopItem.append(place, ` ${hop.text}`);
    return hopItem;
  }));
}

/** `onChange` is called after the user has selected another path. */
export function createPathList(main, onChange) {
  const list = slot(main, "paths");
  let key = main.dataset.path;
  let paths = null;
  let drawnKey = null;

  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (paths === null || link === null || !isPlainClick(event)) return;
    event.preventDefault();
    const wanted = link.closest("li").dataset.path;
    key = wanted === key ? "" : wanted;
    history.replaceState(null, "", pathUrl(key));
    onChange();
    slot(main, "pictures").scrollIntoView({ block: "nearest" });
    const path = paths.find((candidate) => candidate.key === key);
    announce(path ? fill(words.pathShown, { hops: path.hops.map((hop, number) => `${number + 1} ${hop.text}`).join(", ") }) : words.pathHidden);
  });

  return {
    /** The path to show; null if none is selected or it does not exist now. */
    chosen: (model) => model.paths.find((path) => path.key === key && path.hops.length > 0) ?? null,
    draw(model) {
      if (paths === model.paths && drawnKey === key) return;
      paths = model.paths;
      drawnKey = key;
      setHidden(slot(main, "paths-box"), paths.length === 0);
      const known = new Map([...list.children].map((item) => [item.dataset.path, item]));
      const items = paths.map((path) => {
        const item = known.get(path.key) ?? cloneTemplate("template-path").firstElementChild;
        updateItem(item, path, path.key === key);
        return item;
      });
      if (items.length !== list.children.length || items.some((item, place) => item !== list.children[place])) {
        list.replaceChildren(...items);
      }
    },
  };
}
