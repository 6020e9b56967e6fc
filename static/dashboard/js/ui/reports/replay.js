// The replay bar: shows any moment of a recording on a page. It needs no server.

import { dirtyBetween, readRecording, SPEEDS } from "../../core/reports/replay.js";
import { fill, formatClock, formatDuration, formatOffset } from "../../core/format.js";
import { createReplayTimeline } from "./replay_timeline.js";
import { announce, setHidden, setText, showText, slot, words } from "../dom.js";

const SETTLED_MS = 700;
const PLAYING_MS = 4000;
const KEYS = { ",": "previous", ".": "next", " ": "play", k: "play", Escape: "leave" };

function part(bar, name) {
  return bar.querySelector(`[data-replay-${name}]`);
}

function formatAfter(seconds) {
  return seconds < 60 ? `${formatOffset(seconds)} s` : formatDuration(seconds);
}

/**
 * `root` contains the bar of templates/experiments/_replay.html and may contain a timeline; `recording` is what `read` returned.
 * `draw(model, dirty, {at, position})` shows a moment. `start` is the first moment to show, in seconds since the epoch
 * (default: the newest); `left(model)` shows it again at the end. `more`, if there may be newer entries, resolves to a
 * longer recording. `read` and `between` read a decoded recording and compute what must be drawn.
 */
function createReplay(root, recording, { draw, left, start, more, read, between }) {
  const bar = root.querySelector("[data-replay]");
  const range = part(bar, "range");
  const play = part(bar, "play");
  const speed = part(bar, "speed");
  const skip = part(bar, "skip");
  const texts = words.replay;
  const timeline = createReplayTimeline(root, (seq) => seek(recording.positionOf(seq)));
  const listening = new AbortController();
  const home = start === null ? recording.length - 1 : recording.positionAt(start);
  let shown = null; // the model that is drawn
  let position = -1;
  let wanted = 0;
  let marked = false;
  let frame = null;
  let playing = null; // {seconds, since}
  let fetching = false;
  let announcing = null;

  function describe(place) {
    const item = recording.item(place);
    const line = recording.lineAt(place);
    const text = line < 0 ? texts.nothing : recording.item(recording.lines[line]).text;
    return { at: item.at, time: formatClock(new Date(item.at * 1000)), offset: formatAfter(item.offset_s), text };
  }

  /** Announces the moment after a pause, and every few seconds while playing. */
  function announceLater() {
    announcing ??= setTimeout(() => {
      announcing = null;
      if (document.activeElement !== range || playing) announce(range.getAttribute("aria-valuetext"));
    }, playing ? PLAYING_MS : SETTLED_MS);
  }

  function drawFrame() {
    frame = null;
    if (wanted === position) return;
    const model = recording.at(wanted);
    const dirty = between(shown, model, { marked });
    const moment = describe(wanted);
    shown = model;
    position = wanted;
    range.value = String(position);
    range.setAttribute("aria-valuetext", fill(texts.moment, moment));
    setText(slot(bar, "replay-when"), fill(texts.when, moment));
    setText(slot(bar, "replay-what"), moment.text);
    setText(slot(bar, "replay-count"), fill(texts.count, { number: position + 1, count: recording.length }));
    draw(model, dirty, { at: moment.at, position });
    timeline.show(position, model.columns);
  }

  function seek(next, { mark = false, quietly = false } = {}) {
    wanted = Math.max(0, Math.min(next, recording.length - 1));
    marked = mark;
    if (playing && !mark) playing.seconds = recording.playTime(wanted, skip.checked);
    frame ??= requestAnimationFrame(drawFrame);
    if (!quietly) announceLater();
  }

  function showPlaying() {
    setText(slot(play, "play-word"), playing ? texts.pause : texts.play);
    play.dataset.playing = playing ? "yes" : "no";
  }

  function pause() {
    playing = null;
    showPlaying();
  }

  async function fetchMore() {
    if (more === null || fetching) return false;
    fetching = true;
    try {
      const newer = read(await more());
      if (listening.signal.aborted || newer.length <= recording.length) return false;
      recording = newer;
      timeline.enter(recording);
      range.max = String(recording.length - 1);
      return true;
    } catch {
      return false; // The known entries can still be replayed.
    } finally {
      fetching = false;
    }
  }

  function tick(now) {
    if (playing === null) return;
    playing.seconds += (Math.max(0, now - playing.since) / 1000) * Number(speed.value);
    playing.since = now;
    const next = recording.playedTo(playing.seconds, skip.checked);
    if (next !== wanted) seek(next, { mark: true });
    if (next < recording.length - 1) {
      requestAnimationFrame(tick);
      return;
    }
    fetchMore().then((grown) => {
      if (playing === null) return;
      if (grown) {
        playing.seconds = recording.playTime(wanted, skip.checked);
        playing.since = performance.now();
        requestAnimationFrame(tick);
      } else {
        pause();
        announce(texts.end);
      }
    });
  }

  function togglePlay() {
    if (playing) {
      pause();
      return;
    }
    if (wanted >= recording.length - 1) seek(0, { quietly: true });
    playing = { seconds: recording.playTime(wanted, skip.checked), since: performance.now() };
    showPlaying();
    requestAnimationFrame(tick);
  }

  const commands = {
    play: togglePlay,
    previous: () => seek(recording.previousChange(wanted), { mark: true }),
    next: () => seek(recording.nextChange(wanted), { mark: true }),
    leave: () => close(),
  };

  function listen(target, type, listener) {
    target.addEventListener(type, listener, { signal: listening.signal });
  }

  function close() {
    if (listening.signal.aborted) return;
    pause();
    clearTimeout(announcing);
    if (frame !== null) cancelAnimationFrame(frame);
    listening.abort();
    timeline.leave();
    setHidden(bar, true);
    root.classList.remove("is-past");
    document.documentElement.classList.remove("past");
    left(recording.at(home));
  }

  for (const [name, run] of Object.entries(commands)) listen(part(bar, name), "click", run);
  listen(range, "input", () => {
    const step = Math.abs(Number(range.value) - wanted) === 1;
    if (playing) pause();
    seek(Number(range.value), { mark: step });
  });
  listen(range, "change", () => {
    if (wanted === recording.length - 1) fetchMore();
  });
  listen(skip, "change", () => {
    if (playing) playing.seconds = recording.playTime(wanted, skip.checked);
  });
  listen(bar, "keydown", (event) => {
    const command = KEYS[event.key];
    if (command === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    // Space keeps its meaning on buttons and in the list of speeds.
    if (event.target !== range && (event.key === " " || event.target === speed)) return;
    event.preventDefault();
    commands[command]();
  });

  speed.replaceChildren(...SPEEDS.map((times) => new Option(`${times}×`, String(times))));
  range.max = String(Math.max(0, recording.length - 1));
  range.value = String(home);
  setHidden(slot(bar, "replay-cut"), !recording.truncated);
  setHidden(bar, false);
  root.classList.add("is-past");
  document.documentElement.classList.add("past");
  showPlaying();
  timeline.enter(recording);
  seek(home, { quietly: true });
  range.focus({ preventScroll: true });

  return { close, seek, focus: () => range.focus() };
}

/**
 * Opens the replay bar by buttons with data-replay-open, or by `open()`. `load` resolves to the recording; an error is shown
 * in place of the bar. `opened()` is called before the first moment is drawn. A button's data-at is the moment that the page
 * shows. `read` and `between` are by default those of an experiment. `close()` also cancels a replay that is loading.
 */
export function offerReplay(
  root, { load, draw, left, opened = () => {}, more = null, read = readRecording, between = dirtyBetween },
) {
  const buttons = [...root.querySelectorAll("[data-replay-open]")];
  const state = slot(root, "replay-state");
  const waiting = slot(root, "replay-waiting");
  let replay = null;
  let loading = false;
  let cancelled = false;

  function show(sentence, busy) {
    showText(state, sentence);
    setHidden(waiting, !busy);
  }

  async function open(button = buttons[0]) {
    replay?.focus();
    if (replay !== null) return;
    cancelled = false;
    show(words.replay.loading, true);
    if (loading) return;
    loading = true;
    try {
      const raw = await load();
      if (cancelled) return;
      if (!(raw.seqs ?? raw.texts)?.length) {
        show(words.replay.empty, false);
        return;
      }
      const recording = read(raw);
      show("", false);
      opened();
      replay = createReplay(root, recording, {
        draw,
        start: button.dataset.at ? Number(button.dataset.at) : null,
        more,
        read,
        between,
        left(home) {
          replay = null;
          left(home);
          button.focus({ preventScroll: true });
        },
      });
    } catch (error) {
      if (!cancelled) show(fill(words.failed, { reason: error.message }), false);
    } finally {
      loading = false;
    }
  }

  function close() {
    if (loading) {
      cancelled = true;
      show("", false);
    }
    replay?.close();
  }

  for (const button of buttons) button.addEventListener("click", () => open(button));
  return { open: () => open(), close };
}
