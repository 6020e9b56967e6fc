// The experiment page: one model, one frame per burst of messages; each part draws what is dirty.

import { isClean, mergeDirty, nothingDirty, receive } from "../../core/experiments/experiment_model.js";
import { fill } from "../../core/format.js";
import { getJson } from "../../io/http.js";
import { connect } from "../../io/socket.js";
import { createColumns } from "../comparison/columns.js";
import { createAnswer } from "./answer.js";
import { createConnection } from "./connection.js";
import { createExperimentHeader } from "./experiment_header.js";
import { createLaunching } from "./launching.js";
import { createInspect } from "./inspect.js";
import { announce, released, words } from "../dom.js";
import { createPathList } from "../paths/paths.js";
import { createPictures } from "../diagram/picture.js";
import { offerReplay } from "../reports/replay.js";
import { createTable } from "../comparison/table.js";
import { createTimeline } from "./timeline.js";
import { createTraceChoices } from "../paths/trace_choices.js";
import { createTryIt } from "../paths/try_it.js";
import { createViews } from "./views.js";

const ANNOUNCE_MS = 4000;

export function createExperiment(main) {
  const head = createExperimentHeader(main);
  const columns = createColumns(main);
  const pictures = createPictures(main);
  const paths = createPathList(main, () => drawPictures());
  const table = createTable(main.querySelector("#comparison"));
  const answer = createAnswer(main, table.show);
  const timeline = createTimeline(main);
  const launching = createLaunching(main);
  const connection = createConnection(main);
  const readOnly = main.dataset.readOnly !== undefined;
  const tryIt = readOnly ? null : createTryIt(main);
  if (!readOnly) createInspect(main, { ...table, reveal: showSection });
  const traces = readOnly ? null : createTraceChoices(main);

  let model = null; // the current state
  let shown = null; // what is drawn: the current state or a past one
  let past = false;
  let pending = nothingDirty();
  let scheduled = false;
  let changes = 0;
  let announcing = null;

  function announceChanges(count) {
    changes += count;
    announcing ??= setTimeout(() => {
      announce(fill(changes === 1 ? words.changedOne : words.changedMany, { count: changes }));
      changes = 0;
      announcing = null;
    }, ANNOUNCE_MS);
  }

  function showSection(section) {
    views.reveal(main.querySelector("#comparison"));
    table.reveal(section);
  }

  function drawPictures() {
    paths.draw(shown);
    traces?.draw(shown.paths);
    pictures.draw(shown, paths.chosen(shown));
  }

  /** Draws everything except the head and the timeline. */
  function drawFacts(next, dirty) {
    shown = next;
    if (dirty.everything || dirty.columns) columns.draw(shown.columns);
    if (dirty.everything || dirty.pictures) drawPictures();
    if (dirty.everything || dirty.answer || dirty.head || dirty.columns) answer.draw(shown);
    table.draw(shown, dirty);
  }

  function draw() {
    scheduled = false;
    if (past) return; // Drawn as a whole when the replay is left.
    const dirty = pending;
    pending = nothingDirty();
    if (isClean(dirty)) return;
    if (dirty.everything || dirty.head) head.draw(model.experiment);
    if (dirty.everything || dirty.launching) launching.draw(model.launching);
    if (dirty.everything || dirty.trial) tryIt?.draw(model.trial, model.columns);
    drawFacts(model, dirty);
    timeline.draw(model, dirty);
    if (dirty.cells.size > 0) announceChanges(dirty.cells.size);
  }

  function schedule(dirty) {
    pending = mergeDirty(pending, dirty);
    if (scheduled) return;
    scheduled = true;
    // A page in the background gets no frames: draw at once, so that nothing accumulates.
    if (document.visibilityState === "hidden") queueMicrotask(draw);
    else requestAnimationFrame(() => released().then(draw));
  }

  const live = Boolean(main.dataset.ws);
  const replay = readOnly ? null : offerReplay(main, {
    load: () => getJson(`${main.dataset.url}track/`),
    more: live ? () => getJson(`${main.dataset.url}track/`) : null,
    opened() {
      past = true;
      launching.draw(); // the bars belong to the current state
    },
    draw(moment, dirty, { at }) {
      const now = model?.experiment;
      // The current name and problem are shown, because the buttons act on the running experiment.
      const { title = "", problem = "", problem_since = null, startable = false } = now ?? {};
      if (moment.experiment) {
        head.draw({ ...moment.experiment, title, problem, problem_since, startable }, { phase: now?.phase ?? main.dataset.phase, at });
      }
      drawFacts(moment, dirty);
    },
    left() {
      past = false;
      const view = views.current() === "replay" ? "answer" : views.current();
      if (!live) {
        history.replaceState(null, "", `${main.dataset.url}#${view}`);
        location.reload();
        return;
      }
      views.show(view);
      if (model !== null) schedule({ ...nothingDirty(), everything: true });
    },
  });
  const views = createViews(main, (view) => {
    if (view === "replay") replay?.open();
    else if (view !== "table") replay?.close(); // The table of a past moment is a view of its own.
  });
  views.start();
  if (!live) return; // A past state: nothing follows.
  const socket = connect(main.dataset.ws, {
    opened() {},
    message(message) {
      const result = receive(model, message);
      model = result.model;
      if (result.dirty.everything || result.dirty.head) connection.live(model.experiment.phase); // also during a replay
      if (result.effect === "draw") schedule(result.dirty);
      else if (result.effect === "resync") socket.resync();
      else if (result.effect === "reload") {
        socket.stop();
        connection.ended("otherVersion");
      }
    },
    lost: () => connection.lost(),
    ended: (reason) => connection.ended(reason),
  });
}
