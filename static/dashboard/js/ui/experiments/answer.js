// The conclusion at the top of an experiment: sentences with links to the rows that prove them.

import { hasSentences } from "../../core/experiments/answer_sentences.js";
import { describePhase } from "../../core/experiments/phase_badge.js";
import { cloneTemplate, isPlainClick, setHidden, setText, showText, slot, words } from "../dom.js";
import { createHighlight } from "../comparison/highlight.js";

/** One sentence about arms that do not run, with links to the experiment that holds the port. */
function makeTrouble(sentence, holder) {
  const item = cloneTemplate("template-trouble").querySelector("li");
  setText(slot(item, "sentence"), sentence);
  const links = slot(item, "holder");
  if (links === null || !holder) return item;
  setHidden(links, false);
  const open = slot(item, "holder-open");
  const base = open.getAttribute("href").replace(/[^/]*\/$/, "");
  open.setAttribute("href", `${base}${holder.id}/`);
  slot(item, "holder-stop").setAttribute("action", `${base}${holder.id}/stop/`);
  for (const title of item.querySelectorAll('[data-slot="holder-title"]')) setText(title, holder.title);
  return item;
}

/** Whether an item shows this sentence and links to this experiment. */
function shows(item, sentence, holder) {
  const links = slot(item, "holder");
  if (slot(item, "sentence").textContent !== sentence) return false;
  if (links === null) return true;
  return holder ? !links.hidden && slot(item, "holder-open").getAttribute("href").endsWith(`/${holder.id}/`) : links.hidden;
}

/** `showRow` scrolls to a row of the table; it returns false if the row is not there. */
export function createAnswer(main, showRow) {
  const box = slot(main, "answer");
  const list = slot(box, "answer-differences");
  const highlight = createHighlight();
  let drawn = null;
  let started = false;

  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link !== null && isPlainClick(event) && showRow(link.closest("li").dataset.row)) event.preventDefault();
  });

  /** Two rules may prove their sentences with one row. */
  function drawDifferences(differences) {
    const known = new Map([...list.children].map((item) => [`${item.dataset.rule} ${item.dataset.row}`, item]));
    const changed = [];
    list.replaceChildren(...differences.map((difference) => {
      const item = known.get(`${difference.rule} ${difference.row}`) ?? cloneTemplate("template-difference").firstElementChild;
      const sentence = slot(item, "sentence");
      if (item.isConnected && sentence.textContent !== difference.sentence) changed.push(item);
      item.dataset.rule = difference.rule;
      item.dataset.row = difference.row;
      setText(sentence, difference.sentence);
      slot(item, "evidence").href = `#section-${difference.row.split("/")[0]}`;
      return item;
    }));
    highlight.mark(changed);
  }

  /** Leaves the sentences alone if they are the same, because a screen reader would read them again. */
  function drawTrouble({ trouble, holders = [] }, phase) {
    const troubleBox = slot(box, "trouble-box");
    troubleBox.dataset.severity = phase === "failed" ? "bad" : "warn";
    setHidden(troubleBox, trouble.length === 0);
    const shown = [...slot(box, "answer-trouble").children];
    if (shown.length === trouble.length && shown.every((item, n) => shows(item, trouble[n], holders[n]))) return;
    slot(box, "answer-trouble").replaceChildren(...trouble.map((sentence, n) => makeTrouble(sentence, holders[n])));
  }

  /** Marks a sentence that changes while the page is open. */
  function drawSentence(name, sentence) {
    const line = slot(box, `answer-${name}`);
    const changes = started && sentence && slot(line, name).textContent !== sentence;
    setText(slot(line, name), sentence);
    setHidden(line, !sentence);
    if (changes) highlight.mark([line]);
  }

  /** The text of the phase; here, because it depends on the columns too. */
  function drawPhase(experiment, columns) {
    const badge = slot(main, "phase-badge");
    const { text, trouble } = describePhase(experiment, columns, words);
    badge.toggleAttribute("data-trouble", trouble);
    setText(slot(badge, "phase"), text);
  }

  return {
    /** Hides the conclusion while a past moment is replayed: it belongs to the current state. */
    draw({ answer, experiment, columns }) {
      setHidden(box, !answer);
      drawPhase(experiment, columns);
      if (!answer) return;
      drawTrouble(answer, experiment.phase);
      if (answer !== drawn) {
        drawDifferences(answer.differences);
        showText(slot(box, "answer-same"), answer.same);
        drawn = answer;
      }
      setHidden(slot(box, "answer-empty"), hasSentences(answer, experiment));
      drawSentence("measured", experiment.measured);
      drawSentence("tried", experiment.tried);
      showText(slot(main, "try-summary"), experiment.tried);
      started = true;
      setHidden(slot(box, "answer-inconclusive"), Boolean(experiment.measured) || !experiment.measurement);
      const link = slot(box, "measurement");
      if (link === null || !experiment.measurement) return;
      for (const one of [link, slot(box, "inconclusive-run")]) one.href = `${link.dataset.measurements}${experiment.measurement}/`;
    },
  };
}
