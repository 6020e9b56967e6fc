// Column heads: mode, status, and how each arm was launched.

import { fill, formatPublished, visibleText } from "../../core/format.js";
import { cloneTemplate, setHidden, setText, showText, slot, words } from "../dom.js";

function fillHead(th, column) {
  th.dataset.column = column.key;
  th.dataset.mode = column.mode;
  th.querySelector("use").setAttribute("href", `#shape-${column.mode}`);
  setText(slot(th, "title"), column.title);
  const status = slot(th, "status");
  status.dataset.status = column.status;
  setText(status, words.statuses[column.status] ?? column.status);
  setHidden(status, !column.container && column.status === "running");
}

function fillList(list, lines) {
  const same = list.children.length === lines.length && lines.every((line, n) => list.children[n].textContent === line);
  if (!same) {
    list.replaceChildren(...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
  }
  setHidden(list, lines.length === 0);
}

/** One element per word, so that lines break at spaces and not after hyphens. */
function fillCommand(code, command) {
  if (code.textContent === command) return;
  const parts = command ? command.split(" ").flatMap((text, place) => {
    const span = document.createElement("span");
    span.textContent = text;
    return place === 0 ? [span] : [" ", span];
  }) : [];
  code.replaceChildren(...parts);
}

function fillDetail(td, column) {
  td.dataset.column = column.key;
  td.dataset.mode = column.mode;
  td.dataset.title = column.title;
  setText(slot(td, "container"), column.container?.name ?? "");
  setHidden(slot(td, "container"), !column.container);
  showText(slot(td, "setup"), column.setup);
  fillCommand(slot(td, "command"), column.command);
  setText(slot(td, "of"), column.title);
  setHidden(slot(td, "command-box"), !column.command);
  fillList(slot(td, "warnings"), column.warnings);
  setText(slot(td, "error"), column.error ?? "");
  setHidden(slot(td, "error-box"), !column.error);
  const exited = column.exit_code !== null && column.exit_code !== undefined;
  showText(slot(td, "exit"), exited ? fill(words.exit, { code: column.exit_code }) : "");
  const logs = slot(td, "logs");
  setText(logs, column.logs.map((line) => `${visibleText(line)}\n`).join(""));
  setHidden(logs, !exited || column.logs.length === 0);
  setText(slot(td, "asked"), column.asked.map(formatPublished).join("\n") || words.nothing);
  const forwarded = column.published.filter((port) => port.host_port); // a routed network takes no port of the machine
  setText(slot(td, "published"), forwarded.map(formatPublished).join("\n") || words.nothing);
  setHidden(slot(td, "ports"), column.asked.length === 0 && column.published.length === 0);
}

function arrange(row, columns, selector, fillColumn) {
  const existing = new Map([...row.querySelectorAll("[data-column]")].map((element) => [element.dataset.column, element]));
  const wanted = columns.map((column) => {
    const element = existing.get(column.key) ?? cloneTemplate("template-column").querySelector(selector);
    fillColumn(element, column);
    return element;
  });
  const current = [...row.children].slice(1);
  if (current.length !== wanted.length || wanted.some((element, n) => element !== current[n])) {
    row.replaceChildren(row.firstElementChild, ...wanted);
  }
}

function makeMachine(name, own) {
  const th = document.createElement("th");
  th.setAttribute("role", "columnheader");
  th.scope = "colgroup";
  th.colSpan = own.length;
  th.dataset.machine = name;
  const bold = document.createElement("b");
  bold.textContent = name;
  const engine = document.createElement("span");
  engine.className = "soft";
  const facts = own.find((column) => column.engine)?.engine;
  engine.textContent = facts ? [`${words.engines[facts.kind] ?? facts.kind} ${facts.version}`, facts.kernel && `kernel ${facts.kernel}`].filter(Boolean).join(" · ") : "";
  th.append(bold, " ", engine);
  if (own[0].absent) {
    const absent = document.createElement("span");
    absent.className = "problem";
    absent.textContent = own[0].absent;
    th.append(" ", absent);
  }
  if (own[0].note) {
    const note = document.createElement("span");
    note.textContent = own[0].note;
    th.append(" ", note);
  }
  return th;
}

/** The machines above their columns; hidden if the experiment runs on one. */
function drawMachines(row, columns) {
  const groups = new Map();
  for (const column of columns) {
    if (column.machine) groups.set(column.machine, [...(groups.get(column.machine) ?? []), column]);
  }
  const made = [...groups].map(([name, own]) => makeMachine(name, own));
  const current = [...row.children].slice(1);
  if (current.length !== made.length || made.some((th, n) => th.colSpan !== current[n].colSpan || th.textContent !== current[n].textContent)) {
    row.replaceChildren(row.firstElementChild, ...made);
  }
  setHidden(row, made.length === 0);
}

export function createColumns(root) {
  const heads = root.querySelector("[data-heads]");
  const details = root.querySelector("[data-details]");
  const machines = root.querySelector("[data-machines]");
  return {
    draw(columns) {
      if (machines) drawMachines(machines, columns);
      arrange(heads, columns, "th", fillHead);
      arrange(details, columns, "td", fillDetail);
    },
  };
}
