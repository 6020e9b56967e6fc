// The comparison table: rows are cloned from <template>, kept by id, and updated only where they changed.

import { listCells } from "../../core/comparison/cells.js";
import { FOLD_AFTER, makeSearchText, parseQuery, selectRows, totals } from "../../core/comparison/filter.js";
import { fill } from "../../core/format.js";
import { recall, remember } from "../../io/storage.js";
import { fillCell, makeCell, signature } from "./cell.js";
import { createHighlight } from "./highlight.js";
import { cloneTemplate, setHidden, setText, showText, slot, words } from "../dom.js";

const identify = (columns) => columns.map(({ key, mode, title }) => `${key} ${mode} ${title}`).join("\n");

export function createTable(root) {
  const table = root.querySelector("[data-table]");
  const search = root.querySelector("#search");
  const only = root.querySelector("#only-differences");
  const rowTemplate = document.getElementById("template-row").content.querySelector("tr");
  const entries = new Map(); // id -> its <tr>, with what it shows
  const sections = new Map(); // key -> tbody
  const expanded = new Set(); // sections with all of many rows
  const detailed = new Set(); // sections with their details
  const highlight = createHighlight();
  // On a phone, the rows of several machines are thirty windows high.
  const folds = matchMedia("(max-width: 700px)").matches && table.querySelector("[data-machines]:not([hidden])") !== null;
  let order = [];
  let columns = [];
  let blank = null; // a row with one empty cell per column, to be cloned

  function setFolded(tbody, folded) {
    tbody.classList.toggle("folded", folded);
    tbody.querySelector("[data-fold]").setAttribute("aria-expanded", String(!folded));
  }

  function adopt() {
    for (const tbody of table.querySelectorAll("tbody[data-section]")) {
      const section = tbody.dataset.section;
      sections.set(section, tbody);
      if (folds) setFolded(tbody, true);
      for (const tr of tbody.querySelectorAll("tr[data-row]")) {
        const { row: id, relation } = tr.dataset;
        tr.classList.remove("over");
        entries.set(id, makeEntry(id, tr, section, relation, tr.dataset.detail !== undefined));
        order.push(id);
      }
    }
  }

  function sectionFor(key) {
    let tbody = sections.get(key);
    if (tbody === undefined) {
      tbody = cloneTemplate("template-section").querySelector("tbody");
      tbody.dataset.section = key;
      tbody.id = `section-${key}`;
      for (const cell of tbody.querySelectorAll("[colspan]")) cell.colSpan = columns.length + 1;
      setText(slot(tbody, "title"), key.charAt(0).toUpperCase() + key.slice(1));
      table.append(tbody);
      sections.set(key, tbody);
      if (folds) setFolded(tbody, true);
    }
    return tbody;
  }

  function makeEntry(id, tr, section, relation, detail) {
    const head = tr.firstElementChild;
    return {
      id, tr, section, relation, detail, head,
      row: null,
      signatures: null,
      again: tr.classList.contains("again"),
      why: slot(head, "why").textContent,
      symbolSlot: head.querySelector(".relation use"),
      relationSlot: slot(head, "relation"),
      labelSlot: slot(head, "label"),
      whySlot: slot(head, "why"),
      text: null,
      /** The text of the row in lower case; made at the first search. */
      searchText() {
        this.text ??= this.row === null ? `${tr.textContent}\n${id}`.toLowerCase() : makeSearchText(this.row, columns);
        return this.text;
      },
    };
  }

  function fillHead(entry, row, before) {
    if (before === null || before.relation !== row.relation) {
      entry.tr.dataset.relation = row.relation;
      entry.symbolSlot.setAttribute("href", `#sign-${row.relation}`);
      setText(entry.relationSlot, `${words.relations[row.relation]}: `);
    }
    if (before === null || before.label !== row.label) setText(entry.labelSlot, row.label || row.key);
    if (before === null || before.why !== row.why) {
      showText(entry.whySlot, row.why);
    }
  }

  function fillRow(entry, row) {
    const { tr, head, signatures } = entry;
    fillHead(entry, row, entry.row);
    Object.assign(entry, { row, relation: row.relation, detail: row.detail, section: row.section, why: row.why, text: null });
    const cells = listCells(row, columns);
    entry.signatures = cells.map(signature);
    const places = tr.children;
    const fits = places.length === cells.length + 1 && cells.every((cell, n) => places[n + 1].dataset.column === cell.column);
    if (!fits) {
      tr.replaceChildren(head, ...cells.map(makeCell));
      return;
    }
    cells.forEach((cell, place) => {
      if (signatures === null || signatures[place] !== entry.signatures[place]) fillCell(places[place + 1], cell);
    });
  }

  function makeBlank() {
    const tr = rowTemplate.cloneNode(true);
    tr.append(...columns.map((column) => makeCell({ column: column.key, title: column.title, mode: column.mode, kind: "value", text: "", note: "" })));
    return tr;
  }

  function ensureRow(id, row, previous) {
    let entry = entries.get(id);
    if (entry === undefined) {
      blank ??= makeBlank();
      const tr = blank.cloneNode(true);
      tr.dataset.row = id;
      entry = makeEntry(id, tr, row.section, row.relation, row.detail);
      entries.set(id, entry);
      const tbody = sectionFor(row.section);
      const anchor = previous !== undefined && entries.get(previous)?.section === row.section
        ? entries.get(previous).tr
        : tbody.firstElementChild;
      anchor.after(tr);
    }
    fillRow(entry, row);
  }

  function dropRow(id) {
    const entry = entries.get(id);
    if (entry === undefined) return;
    entry.tr.remove();
    entries.delete(id);
  }

  function mark(cells) {
    for (const [id, changed] of cells) {
      const entry = entries.get(id);
      if (entry === undefined) continue;
      highlight.mark([...entry.tr.children].filter((td) => changed.has(td.dataset.column)));
    }
  }

  function drawButtons(tbody, key, count) {
    const more = tbody.querySelector("[data-more]");
    const all = more.querySelector("[data-show-all]");
    const details = more.querySelector("[data-show-details]");
    const open = expanded.has(key) && count.matching - count.details > FOLD_AFTER;
    setHidden(all, count.folded === 0 && !open);
    setText(all, open ? words.showFewer : fill(words.showAll, { count: count.matching - count.details }));
    setHidden(details, count.details === 0);
    setText(details, fill(words.details, { count: count.details }));
    details.setAttribute("aria-expanded", String(detailed.has(key)));
    setHidden(more, all.hidden && details.hidden);
  }

  function select() {
    const list = [];
    for (const id of order) {
      const entry = entries.get(id);
      if (entry !== undefined) list.push(entry);
    }
    const query = parseQuery(search.value);
    const searching = query.length > 0;
    const { shown, again, sections: counts } = selectRows(list, { words: query, onlyDifferences: only.checked, expanded, detailed });
    root.toggleAttribute("data-searching", searching);
    for (const entry of list) {
      setHidden(entry.tr, !shown.has(entry.id));
      if (entry.again !== again.has(entry.id)) {
        entry.again = !entry.again;
        entry.tr.classList.toggle("again", entry.again);
      }
    }
    for (const [key, tbody] of sections) {
      const count = counts.get(key) ?? { differ: 0, same: 0, matching: 0, folded: 0, details: 0 };
      setHidden(tbody, count.differ + count.same + count.matching === 0 || (searching && count.matching === 0));
      setText(slot(tbody, "counts"), fill(words.counts, count));
      drawButtons(tbody, key, count);
    }
    const sum = totals(counts);
    setText(slot(root, "total-counts"), searching ? fill(words.matching, { count: sum.matching, all: list.length }) : fill(words.counts, sum));
    setHidden(slot(root, "no-rows"), sum.matching > 0);
  }

  function draw(model, dirty) {
    const columnsChanged = identify(model.columns) !== identify(columns);
    columns = model.columns;
    if (columnsChanged) {
      blank = null;
      table.className = table.className.replace(/columns-\d+/, `columns-${columns.length}`);
      for (const cell of table.querySelectorAll("tbody [colspan]")) cell.colSpan = columns.length + 1;
    }
    if (dirty.everything || columnsChanged) {
      for (const id of [...entries.keys()]) if (!model.rows.has(id)) dropRow(id);
      model.order.forEach((id, place) => ensureRow(id, model.rows.get(id), model.order[place - 1]));
    } else {
      for (const id of dirty.removed) dropRow(id);
      if (dirty.rows.size > 0) {
        let previous;
        for (const id of model.order) {
          if (dirty.rows.has(id)) ensureRow(id, model.rows.get(id), previous);
          previous = id;
        }
      }
    }
    order = model.order;
    if (dirty.everything || columnsChanged || dirty.rows.size > 0 || dirty.removed.size > 0) select();
    mark(dirty.cells);
  }

  function toggle(opened, key) {
    if (!opened.delete(key)) opened.add(key);
    select();
  }

  adopt();
  if (recall("differences") === "all") only.checked = false;
  const query = new URLSearchParams(location.hash.slice(1)).get("find");
  if (query) search.value = query;
  only.addEventListener("change", () => {
    remember("differences", only.checked ? null : "all");
    select();
  });
  search.addEventListener("input", () => {
    const query = search.value.trim();
    const view = location.hash.slice(1).split("&").filter((part) => part && !part.startsWith("find=")).slice(0, 1);
    const parts = query ? [...view, new URLSearchParams({ find: query })] : view;
    history.replaceState(null, "", parts.length > 0 ? `#${parts.join("&")}` : location.pathname + location.search);
    select();
  });
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const tbody = event.target.closest("tbody");
    if (button === null || tbody === null) return;
    const key = tbody.dataset.section;
    if (button.hasAttribute("data-fold")) {
      setFolded(tbody, button.getAttribute("aria-expanded") === "true");
    } else if (button.hasAttribute("data-show-all")) {
      toggle(expanded, key);
    } else if (button.hasAttribute("data-show-details")) {
      toggle(detailed, key);
    }
  });
  select();

  return {
    draw,
    /** Label and text of every row of a section in one column. */
    factsOf(section, column) {
      const facts = [];
      for (const id of order) {
        const entry = entries.get(id);
        if (entry === undefined || entry.section !== section) continue;
        const td = [...entry.tr.children].find((one) => one.dataset.column === column);
        const value = td?.firstElementChild;
        if (value) facts.push({ label: slot(entry.tr, "label").textContent, text: value.textContent, absent: value.className === "absent" });
      }
      return facts;
    },
    titleOf(section) {
      const tbody = sections.get(section);
      return tbody ? slot(tbody, "title").textContent : null;
    },
    /** Scrolls to a row and marks it; false if there is no such row. */
    show(id) {
      const entry = entries.get(id);
      if (entry === undefined) return false;
      setFolded(sections.get(entry.section), false);
      search.value = "";
      expanded.add(entry.section);
      if (entry.detail) detailed.add(entry.section);
      if (entry.relation === "same") only.checked = false;
      select();
      entry.tr.scrollIntoView({ block: "center" });
      highlight.mark(entry.tr.children);
      entry.head.tabIndex = -1;
      entry.head.focus({ preventScroll: true });
      return true;
    },
    reveal(section) {
      const tbody = sections.get(section);
      if (!tbody) return;
      setFolded(tbody, false);
      only.checked = false;
      select();
      tbody.scrollIntoView({ block: "start", behavior: "smooth" });
    },
  };
}
