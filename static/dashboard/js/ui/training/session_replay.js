// Draws a session at one position of its replay: step, answers, participants, hint, comparison.

import { histogramOf, readSessionTrack } from "../../core/training/session_track.js";
import { nothingDirty } from "../../core/experiments/experiment_model.js";
import { readRecording } from "../../core/reports/replay.js";
import { fill } from "../../core/format.js";
import { formatLeft } from "../../core/training/session.js";
import { createColumns } from "../comparison/columns.js";
import { drawHistogram } from "../measurements/histogram.js";
import { setHidden, setText, showText, slot, words } from "../dom.js";
import { createTable } from "../comparison/table.js";

/** One cell of the grid of templates/training/results/_grid.html. Final figures are hidden during the replay. */
function createCell(td) {
  const ended = [...td.querySelectorAll("small")];
  const fails = document.createElement("small");
  fails.className = "fails";
  td.append(fails);
  setHidden(fails, true);
  const mark = slot(td, "mark");
  const word = slot(td, "stage");
  const end = td.dataset.stage;
  const says = words.session;

  function show(stage, failed) {
    td.dataset.stage = stage;
    mark.setAttribute("href", `#sign-${says.marks[stage]}`);
    setText(word, says.stages[stage]);
    showText(fails, failed ? fill(says.failed, { count: failed }) : "");
    for (const one of ended) setHidden(one, true);
  }

  return {
    show,
    /** Shows the final state. */
    leave() {
      show(end, 0);
      for (const one of ended) setHidden(one, false);
    },
  };
}

/** The comparison at one position; the track of an experiment is read when it is first shown. */
function createMirror(root, track) {
  const section = root.querySelector("#comparison");
  const table = createTable(section);
  const columns = createColumns(section);
  const tracks = new Map();
  const box = section.querySelector(".scroll");
  let drawn = null;
  let pointed = "";

  function trackOf(number) {
    if (!tracks.has(number)) tracks.set(number, readRecording(track.mirrors[number].track));
    return tracks.get(number);
  }

  function point(pointer) {
    setHidden(slot(section, "pointed"), !pointer);
    const [name, ...rest] = (pointer ?? "").split("/");
    setText(slot(section, "pointed-row"), pointer ? `${name}: ${rest.join(" ")}` : "");
    for (const row of section.querySelectorAll("tr[data-row]")) row.toggleAttribute("data-pointed", row.dataset.row === pointer);
    const row = section.querySelector("tr[data-pointed]");
    const only = section.querySelector("#only-differences");
    if (row?.hidden && only.checked) only.click();
    if (row && pointer !== pointed) box.scrollTop = row.offsetTop - box.clientHeight / 2;
    pointed = pointer;
  }

  return function draw(mirror, at) {
    setHidden(section, !mirror);
    if (!mirror) {
      drawn = null;
      return;
    }
    const shown = track.mirrors[mirror.track];
    setText(slot(section, "mirror-title"), shown.title);
    showText(slot(section, "mirror-why"), shown.why);
    setHidden(box, !shown.track);
    setHidden(section.querySelector("#search"), !shown.track);
    setHidden(section.querySelector(".tick"), !shown.track);
    if (!shown.track) {
      setHidden(slot(section, "no-rows"), true);
      point(mirror.pointer);
      return;
    }
    const way = trackOf(mirror.track);
    const key = `${mirror.track} ${way.positionAt(at)}`;
    if (key !== drawn) {
      const model = way.at(way.positionAt(at));
      columns.draw(model.columns);
      table.draw(model, { ...nothingDirty(), everything: true });
      drawn = key;
    }
    point(mirror.pointer);
  };
}

/** Draws positions of the track `raw` into `root`. */
export function createStage(root, raw) {
  const track = readSessionTrack(raw);
  const says = words.session;
  const stage = root.querySelector("[data-stage-now]");
  const mirror = createMirror(root, track);
  const cells = new Map();
  for (const td of root.querySelectorAll("[data-cell]")) cells.set(`c${td.dataset.cell}`, createCell(td));
  const people = new Map();
  for (const row of root.querySelectorAll("tr[data-person]")) people.set(`p${row.dataset.person}`, row);
  const drawn = new Map(); // slot -> the value that is shown

  function drawHead(head, at) {
    const step = track.steps[head.step];
    setText(slot(stage, "now-title"), fill(says.step, { number: head.step + 1, of: track.steps.length, title: step.title }));
    setText(slot(stage, "pace"), head.pace === "gated" ? fill(says.gated, { number: head.gate + 1 }) : says.together);
    setHidden(slot(stage, "locked"), !head.locked);
    setHidden(slot(stage, "closed"), !head.closed);
    const left = slot(stage, "timer");
    setHidden(left, !head.timer);
    setText(left, head.timer ? fill(says.timer, { left: formatLeft(head.timer, at) }) : "");
  }

  function drawAnswers(answers) {
    const place = stage.querySelector("[data-histogram]");
    setText(slot(stage, "question"), answers ? track.steps[answers.step].question : "");
    setText(slot(stage, "so-far"), answers && !answers.revealed ? fill(says.predictedSoFar, { count: answers.answered }) : "");
    if (answers) drawHistogram(place, histogramOf(answers, track.steps[answers.step]));
    else place.replaceChildren();
  }

  function drawPerson(row, value) {
    const [here, hand] = value ?? [false, false];
    row.querySelector(".dot").classList.toggle("away", !here);
    row.toggleAttribute("data-needs", hand);
    setText(slot(row, "person-state"), hand ? ` ${says.hand}` : here ? "" : ` ${value ? says.away : says.gone}`);
  }

  function changed(name, value) {
    if (drawn.has(name) && drawn.get(name) === value) return false;
    drawn.set(name, value);
    return true;
  }

  return {
    draw(model, at) {
      const { slots } = model;
      const head = slots.get("head");
      if (head) drawHead(head, at);
      if (changed("answers", slots.get("answers"))) drawAnswers(slots.get("answers"));
      if (changed("said", slots.get("said"))) setText(slot(stage, "announcement"), slots.get("said") ?? says.nothingSaid);
      for (const [name, row] of people) if (changed(name, slots.get(name))) drawPerson(row, slots.get(name));
      for (const [name, cell] of cells) {
        const value = slots.get(name);
        if (changed(name, value)) cell.show(...(value ?? ["locked", 0]));
      }
      mirror(slots.get("mirror"), at);
    },
    /** Shows the final state of everything. */
    end() {
      this.draw(track.at(track.length - 1), track.item(track.length - 1).at);
      for (const cell of cells.values()) cell.leave();
      for (const name of cells.keys()) drawn.delete(name);
    },
  };
}
