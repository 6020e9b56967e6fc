// The scrubber: moves a page to any moment of a track. It needs no server: the track and the drawing are given to it.

import { dirtyBetween, readTrack, SPEEDS } from "../../core/reports/replay.js";
import { fill, formatClock, formatDuration, formatOffset } from "../../core/format.js";
import { createMoments } from "./replay_timeline.js";
import { announce, setHidden, setText, slot, words } from "../dom.js";

const SETTLED_MS = 700;
const PLAYING_MS = 4000;
const KEYS = { ",": "previous", ".": "next", " ": "play", k: "play" };

function part(bar, name) {
  return bar.querySelector(`[data-replay-${name}]`);
}

function formatAfter(seconds) {
  return seconds < 60 ? `${formatOffset(seconds)} s` : formatDuration(seconds);
}

/**
 * `root` holds the bar of templates/experiments/_replay.html, and a timeline if there is one. `raw` is a decoded track.
 * `draw(model, dirty, {at, position})` shows a moment. `start`, in seconds since the epoch, is the moment to begin with,
 * which `left(model)` gets at the end; without it the newest. `more`, where there may be newer entries, resolves to a
 * newer track. `read` makes a track of `raw`, `between` says what must be drawn anew: those of an experiment, unless it
 * is of another kind.
 */
export function createReplay(root, raw, { draw, left, start = null, more = null, read = readTrack, between = dirtyBetween }) {
  const bar = root.querySelector("[data-replay]");
  const range = part(bar, "range");
  const play = part(bar, "play");
  const speed = part(bar, "speed");
  const skip = part(bar, "skip");
  const says = words.replay;
  const moments = createMoments(root, (seq) => seek(track.positionOf(seq)));
  const listening = new AbortController();
  let track = read(raw);
  const home = start === null ? track.length - 1 : track.positionAt(start);
  let shown = null; // the model that is drawn
  let position = -1;
  let wanted = 0;
  let marked = false;
  let frame = null;
  let playing = null; // {seconds, since}
  let asking = false;
  let saying = null;

  function sentence(place) {
    const item = track.item(place);
    const told = track.toldAt(place);
    const text = told < 0 ? says.nothing : track.item(track.told[told]).text;
    return { at: item.at, time: formatClock(new Date(item.at * 1000)), offset: formatAfter(item.offset_s), text };
  }

  /** Said once things have settled, and now and then while it plays. */
  function say() {
    saying ??= setTimeout(() => {
      saying = null;
      if (document.activeElement !== range || playing) announce(range.getAttribute("aria-valuetext"));
    }, playing ? PLAYING_MS : SETTLED_MS);
  }

  function drawFrame() {
    frame = null;
    if (wanted === position) return;
    const model = track.at(wanted);
    const dirty = between(shown, model, { marked });
    const said = sentence(wanted);
    shown = model;
    position = wanted;
    range.value = String(position);
    range.setAttribute("aria-valuetext", fill(says.moment, said));
    setText(slot(bar, "replay-when"), fill(says.when, said));
    setText(slot(bar, "replay-what"), said.text);
    setText(slot(bar, "replay-count"), fill(says.count, { number: position + 1, count: track.length }));
    draw(model, dirty, { at: said.at, position });
    moments.show(position, model.columns);
  }

  function seek(next, { mark = false, quietly = false } = {}) {
    wanted = Math.max(0, Math.min(next, track.length - 1));
    marked = mark;
    if (playing && !mark) playing.seconds = track.playTime(wanted, skip.checked);
    frame ??= requestAnimationFrame(drawFrame);
    if (!quietly) say();
  }

  function showPlaying() {
    setText(slot(play, "play-word"), playing ? says.pause : says.play);
    play.dataset.playing = playing ? "yes" : "no";
  }

  function pause() {
    playing = null;
    showPlaying();
  }

  async function fetchMore() {
    if (more === null || asking) return false;
    asking = true;
    try {
      const newer = read(await more());
      if (listening.signal.aborted || newer.length <= track.length) return false;
      track = newer;
      moments.enter(track);
      range.max = String(track.length - 1);
      return true;
    } catch {
      return false; // What is known can still be replayed.
    } finally {
      asking = false;
    }
  }

  function tick(now) {
    if (playing === null) return;
    playing.seconds += (Math.max(0, now - playing.since) / 1000) * Number(speed.value);
    playing.since = now;
    const next = track.playedTo(playing.seconds, skip.checked);
    if (next !== wanted) seek(next, { mark: true });
    if (next < track.length - 1) {
      requestAnimationFrame(tick);
      return;
    }
    fetchMore().then((grown) => {
      if (playing === null) return;
      if (grown) {
        playing.seconds = track.playTime(wanted, skip.checked);
        playing.since = performance.now();
        requestAnimationFrame(tick);
      } else {
        pause();
        announce(says.end);
      }
    });
  }

  function togglePlay() {
    if (playing) {
      pause();
      return;
    }
    if (wanted >= track.length - 1) seek(0, { quietly: true });
    playing = { seconds: track.playTime(wanted, skip.checked), since: performance.now() };
    showPlaying();
    requestAnimationFrame(tick);
  }

  const commands = {
    play: togglePlay,
    previous: () => seek(track.previousChange(wanted), { mark: true }),
    next: () => seek(track.nextChange(wanted), { mark: true }),
    leave: () => close(),
  };

  function listen(target, type, listener) {
    target.addEventListener(type, listener, { signal: listening.signal });
  }

  function close() {
    if (listening.signal.aborted) return;
    pause();
    clearTimeout(saying);
    if (frame !== null) cancelAnimationFrame(frame);
    listening.abort();
    moments.leave();
    setHidden(bar, true);
    root.classList.remove("is-past");
    document.documentElement.classList.remove("past");
    left(track.at(home));
  }

  for (const [name, run] of Object.entries(commands)) listen(part(bar, name), "click", run);
  listen(range, "input", () => {
    const step = Math.abs(Number(range.value) - wanted) === 1;
    if (playing) pause();
    seek(Number(range.value), { mark: step });
  });
  listen(range, "change", () => {
    if (wanted === track.length - 1) fetchMore();
  });
  listen(skip, "change", () => {
    if (playing) playing.seconds = track.playTime(wanted, skip.checked);
  });
  listen(bar, "keydown", (event) => {
    const command = KEYS[event.key];
    if (command === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    // Space does what it always does on a button or in a list of choices.
    if (event.target !== range && (event.key === " " || event.target === speed)) return;
    event.preventDefault();
    commands[command]();
  });

  speed.replaceChildren(...SPEEDS.map((times) => new Option(`${times}×`, String(times))));
  range.max = String(Math.max(0, track.length - 1));
  setHidden(slot(bar, "replay-cut"), !track.truncated);
  setHidden(bar, false);
  root.classList.add("is-past");
  document.documentElement.classList.add("past");
  showPlaying();
  moments.enter(track);
  seek(home, { quietly: true });
  range.focus({ preventScroll: true });

  return { close, seek, focus: () => range.focus() };
}

/**
 * Buttons with data-replay-open lead to the scrubber. `load` resolves to the track; a failure is said in the bar.
 * `opened()` comes before the first moment is drawn. A button's data-at is the moment that the page shows.
 */
export function offerReplay(root, { load, draw, left, opened = () => {}, more = null, read, between }) {
  const buttons = [...root.querySelectorAll("[data-replay-open]")];
  const state = slot(root, "replay-state");
  const waiting = slot(root, "replay-waiting");
  let replay = null;
  let loading = false;

  function show(sentence, busy) {
    setText(state, sentence);
    setHidden(state, !sentence);
    setHidden(waiting, !busy);
  }

  async function open(button) {
    replay?.focus();
    if (replay !== null || loading) return;
    loading = true;
    show(words.replay.loading, true);
    try {
      const raw = await load();
      if (!(raw.seqs ?? raw.texts)?.length) {
        show(words.replay.empty, false);
        return;
      }
      show("", false);
      opened();
      replay = createReplay(root, raw, {
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
      show(fill(words.failed, { reason: error.message }), false);
    } finally {
      loading = false;
    }
  }

  for (const button of buttons) button.addEventListener("click", () => open(button));
}
