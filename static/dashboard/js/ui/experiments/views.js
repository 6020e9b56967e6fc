// The views of an experiment: the hash names the one that is shown (#table), and styles hide what belongs to others.

import { isPlainClick } from "../dom.js";

/** `onChange(view)` is called when another view is shown. */
export function createViews(main, onChange) {
  const root = document.documentElement;
  const links = [...main.querySelectorAll("[data-view]")];
  const known = new Set(links.map((link) => link.dataset.view));
  let current = null;

  /** The view of a hash: its own name, or the first view with the element that it names, or the current one. */
  function viewOf(hash) {
    const name = hash.slice(1).split("&")[0];
    if (known.has(name)) return name;
    const views = name ? document.getElementById(name)?.closest("[data-views]")?.dataset.views.split(" ") : undefined;
    if (views?.length && !views.includes(current)) return views[0];
    return current ?? "answer";
  }

  function select(view) {
    if (view === current) return;
    current = view;
    root.dataset.view = view;
    for (const link of links) {
      if (link.dataset.view !== view) {
        link.removeAttribute("aria-current");
        continue;
      }
      link.setAttribute("aria-current", "true");
      // On a phone the row of links scrolls sideways.
      link.parentElement.scrollLeft = link.offsetLeft - link.parentElement.clientWidth / 2;
    }
    onChange(view);
  }

  function show(view) {
    if (view === current) return;
    history.pushState(null, "", `#${view}`);
    select(view);
  }

  main.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-view], a[data-show-view]");
    if (link === null || !isPlainClick(event)) return;
    event.preventDefault();
    show(link.dataset.view ?? link.dataset.showView);
    scrollTo({ top: 0 });
  });
  addEventListener("popstate", () => select(viewOf(location.hash)));
  addEventListener("hashchange", () => select(viewOf(location.hash)));

  return {
    current: () => current,
    /** Shows the view that the hash names. */
    start: () => select(viewOf(location.hash)),
    show,
    /** Shows a view that has this element, if the current one does not. */
    reveal(element) {
      const views = element.closest("[data-views]")?.dataset.views.split(" ") ?? [];
      if (views.length > 0 && !views.includes(current)) show(views[0]);
    },
  };
}
