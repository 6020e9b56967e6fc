// Reads a recording (dashboard/core/reports/replay/recording.py): what was shown after each journal entry. Every value is in
// a table once, and a position is found without replaying those before it.

import { changedCells, nothingDirty, rowId } from "../experiments/experiment_model.js";

export const RECORDING_VERSION = 1;
export const SPEEDS = [1, 2, 4, 8, 16];
/** The longest gap between entries while playing, if idle time is skipped. */
export const MAX_QUIET_S = 1;
export const SHOWS = { head: 1, columns: 2, rows: 4, picture: 8 };
const WHOLE = { head: "head", columns: "columns", wide: "picture", narrow: "picture", paths: "picture" };
const CHECKPOINT = 32;
const MAX_CACHED = 256;

export class InvalidRecording extends Error {}

/** The cumulative sums of differences. */
function sums(differences, Type) {
  const values = new Type(differences.length);
  let sum = 0;
  for (let place = 0; place < differences.length; place += 1) {
    sum += differences[place];
    values[place] = sum;
  }
  return values;
}

/** The last index in a sorted array with a value that is not greater, or -1. */
export function lastNotAfter(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** `make` with a cache of its last results. */
function cached(make, most = MAX_CACHED) {
  const known = new Map();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      value = make(key);
      if (known.size >= most) known.delete(known.keys().next().value);
      known.set(key, value);
    }
    return value;
  };
}

/**
 * Sequences of numbers, each stored as the difference from an earlier one. Every 32nd in a chain is kept, so that none
 * needs more steps.
 */
function readChains(stored) {
  const bases = new Int32Array(stored.length);
  const depths = new Int32Array(stored.length);
  const inserted = [];
  let last = 0;
  stored.forEach(([back, , , ...steps], number) => {
    bases[number] = number - back;
    depths[number] = bases[number] < 0 ? 0 : depths[bases[number]] + 1;
    inserted.push(steps.map((step) => (last += step)));
  });
  const checkpoints = new Map();
  return cached(function find(wanted) {
    const steps = [];
    let number = wanted;
    while (number >= 0 && !checkpoints.has(number)) {
      steps.push(number);
      number = bases[number];
    }
    let items = number < 0 ? [] : checkpoints.get(number);
    for (const step of steps.reverse()) {
      const [, start, removed] = stored[step];
      items = [...items.slice(0, start), ...inserted[step], ...items.slice(start + removed)];
      if (depths[step] % CHECKPOINT === 0) checkpoints.set(step, items);
    }
    return items;
  });
}

/** Expands [positions, numbers], each stored as differences: `current` has the number for each position, -1 before
 * the first; `places` are the positions at which it changes. */
function spread([positions, numbers], length) {
  const places = sums(positions, Int32Array);
  const values = sums(numbers, Int32Array);
  const current = new Int32Array(length).fill(-1);
  places.forEach((place, n) => current.fill(values[n], place, places[n + 1] ?? length));
  return { current, places };
}

/** The time of each entry while playing, in seconds; no gap is longer than `most`. */
function playTimes(times, most) {
  const played = new Float64Array(times.length);
  for (let place = 1; place < times.length; place += 1) {
    played[place] = played[place - 1] + Math.min(most, Math.max(0, times[place] - times[place - 1]) / 1000);
  }
  return played;
}

/** What all recordings have: the times and texts of their entries. */
export function readEntries({ times: differences, texts, first_at, truncated }) {
  const times = sums(differences, Float64Array);
  const latest = times.slice();
  for (let place = 1; place < latest.length; place += 1) latest[place] = Math.max(latest[place], latest[place - 1]);
  const lines = Int32Array.from([...texts.keys()].filter((place) => texts[place]));
  const playing = { true: playTimes(times, MAX_QUIET_S), false: playTimes(times, Infinity) };
  return {
    /** The time of each entry in ms after the first one. */
    times,
    /** The positions of the entries with a text. */
    lines,
    truncated,
    /** The index in `lines` of the last entry with a text up to a position, or -1. */
    lineAt: (position) => lastNotAfter(lines, position),
    /** The last entry up to a time in seconds since the epoch; the first one if all are later. */
    positionAt: (seconds) => Math.max(0, lastNotAfter(latest, (seconds - first_at) * 1000 + 0.5)),
    /** The time of a position in seconds of playing at 1×. */
    playTime: (position, skipQuiet) => playing[Boolean(skipQuiet)][position],
    /** The position after this many seconds of playing. */
    playedTo: (seconds, skipQuiet) => Math.max(0, lastNotAfter(playing[Boolean(skipQuiet)], seconds)),
  };
}

/** A recording from its decoded JSON. Throws InvalidRecording. */
export function readRecording(raw) {
  if (raw === null || typeof raw !== "object" || raw.v !== RECORDING_VERSION) throw new InvalidRecording("not a recording of this version");
  const { tables } = raw;
  const length = raw.seqs.length;
  const seqs = sums(raw.seqs, Float64Array);
  const { times, ...entries } = readEntries(raw);
  const kinds = new Uint8Array(length);
  const now = {};
  for (const [name, changes] of Object.entries(raw.changes)) {
    const { current, places } = spread(changes, length);
    now[name] = current;
    for (const place of places) kinds[place] |= SHOWS[WHOLE[name] ?? "rows"];
  }
  const sections = Object.keys(raw.changes).filter((name) => !(name in WHOLE));

  const rowLists = readChains(raw.chains.rows);
  const boxLists = readChains(raw.chains.boxes);
  const edgeLists = readChains(raw.chains.edges);
  const pathLists = readChains(raw.chains.paths);
  const ids = tables.rows.map(rowId);
  const boxes = new Array(tables.boxes.length);
  const box = (number) => {
    if (boxes[number] === undefined) {
      const [thing, place] = tables.boxes[number];
      const [id, kind, mode, title, ...lines] = tables.things[thing];
      const [x, y, w, h] = tables.places[place];
      boxes[number] = { id, kind, mode, x, y, w, h, lines, title };
    }
    return boxes[number];
  };
  const pictures = cached((number) => {
    const [width, height, summary, boxList, edgeList] = tables.pictures[number];
    return {
      width,
      height,
      boxes: boxLists(boxList).map(box),
      edges: edgeLists(edgeList).map((one) => tables.edges[one]),
      summary: tables.summaries[summary],
    };
  });
  const paths = cached((number) => pathLists(number).map((one) => tables.paths[one]));
  const empty = { width: 0, height: 0, boxes: [], edges: [], summary: "" };

  return {
    ...entries,
    length,
    seqs,
    kinds,
    sections,
    /** What was shown at a position, as a model like that of experiment_model.js. */
    at(position) {
      const rows = new Map();
      const lists = sections.map((name) => now[name][position]);
      for (const number of lists) {
        if (number < 0) continue;
        for (const row of rowLists(number)) rows.set(ids[row], tables.rows[row]);
      }
      const whole = (table, name) => (now[name][position] < 0 ? null : table(now[name][position]));
      return {
        seq: seqs[position],
        experiment: whole((number) => tables.heads[number], "head"),
        columns: whole((number) => tables.columns[number], "columns") ?? [],
        rows,
        order: [...rows.keys()],
        wide: whole(pictures, "wide") ?? empty,
        narrow: whole(pictures, "narrow") ?? empty,
        paths: whole(paths, "paths") ?? [],
        timeline: [],
      };
    },
    /** The entry as a timeline item; its text may be empty. */
    item(position) {
      return {
        seq: seqs[position],
        at: raw.first_at + times[position] / 1000,
        offset_s: Math.max(0, times[position]) / 1000,
        text: raw.texts[position],
        cause: tables.causes[raw.causes[position]],
        columns: tables.abouts[raw.abouts[position]],
      };
    },
    positionOf: (seq) => Math.max(0, lastNotAfter(seqs, seq)),
    /** The next position with a visible change, or the last position. */
    nextChange(position) {
      let place = position + 1;
      while (place < length && kinds[place] === 0) place += 1;
      return Math.max(0, Math.min(place, length - 1));
    },
    previousChange(position) {
      let place = position - 1;
      while (place > 0 && kinds[place] === 0) place -= 1;
      return Math.max(place, 0);
    },
  };
}

/** Decodes the recording in a report's file: base64 of JSON that is compressed with deflate (zlib). */
export async function unpackRecording(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function sameOrder(before, after) {
  const kept = before.order.filter((id) => after.rows.has(id));
  let place = 0;
  for (const id of after.order) {
    if (!before.rows.has(id)) continue;
    if (kept[place] !== id) return false;
    place += 1;
  }
  return true;
}

/**
 * What must be drawn again to go from one model to another; identical objects look the same.
 * `marked`: with the cells that changed, to highlight them.
 */
export function dirtyBetween(before, after, { marked = false } = {}) {
  const dirty = nothingDirty();
  if (before === null) {
    dirty.everything = true;
    return dirty;
  }
  dirty.head = before.experiment !== after.experiment;
  dirty.columns = before.columns !== after.columns;
  dirty.pictures = before.wide !== after.wide || before.narrow !== after.narrow || before.paths !== after.paths;
  for (const id of before.order) if (!after.rows.has(id)) dirty.removed.add(id);
  const ordered = sameOrder(before, after);
  for (const [id, row] of after.rows) {
    const old = before.rows.get(id);
    if (!ordered && old !== undefined) dirty.removed.add(id);
    if (old === row && ordered) continue;
    dirty.rows.add(id);
    if (!marked || old === row) continue;
    const cells = changedCells(old, row);
    if (cells.size > 0) dirty.cells.set(id, cells);
  }
  return dirty;
}
