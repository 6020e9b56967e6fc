// The conclusion at the top of an experiment: sentences with links to the rows that prove them.

import { cloneTemplate, setHidden, setText, slot, words } from "../dom.js";
import { createHighlight } from "../comparison/highlight.js";

function drawSentences(list, sentences) {
  if (sentences.join("\n") === [...list.children].map((item) => item.textContent).join("\n")) return;
  list.replaceChildren(...sentences.map((sentence) => {
    const item = document.createElement("li");
    item.textContent = sentence;
    return item;
  }));
  setHidden(list, sentences.length === 0);
}

/** `showRow` scrolls to a row of the table; it returns false if the row is not there. */
export function createAnswer(main, showRow) {
  const box = slot(main, "answer");
  const list = slot(box, "answer-differences");
  const highlight = createHighlight();
  let drawn = null;

  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link !== null && showRow(link.closest("li").dataset.row)) event.preventDefault();
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

  /** A running experiment in which an arm does not run is partly running. */
  function drawPhase(phase, trouble) {
    const chip = slot(main, "phase-chip");
    const partly = phase === "running" && trouble;
    chip.toggleAttribute("data-trouble", partly);
    setText(slot(chip, "phase"), partly ? words.partlyRunning : words.phases[phase] ?? phase);
  }

  return {
    /** Hides the conclusion while a past moment is replayed: it belongs to the current state. */
    draw({ answer, experiment }) {
      setHidden(box, !answer);
      drawPhase(experiment.phase, Boolean(answer?.trouble.length));
      if (!answer) return;
      if (answer !== drawn) {
        drawSentences(slot(box, "answer-trouble"), answer.trouble);
        drawDifferences(answer.differences);
        setText(slot(box, "answer-same"), answer.same);
        setHidden(slot(box, "answer-same"), !answer.same);
        setHidden(slot(box, "answer-empty"), answer.differences.length + answer.trouble.length > 0);
        drawn = answer;
      }
      setText(slot(box, "measured"), experiment.measured);
      const link = slot(box, "measurement");
      if (link && experiment.measurement) link.href = `${link.dataset.measurements}${experiment.measurement}/`;
      setHidden(slot(box, "answer-measured"), !experiment.measured);
    },
  };
}
