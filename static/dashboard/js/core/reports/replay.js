// A track (dashboard/core/reports/replay/recording.py) position by position: what was shown after each journal entry.
// Everything that was ever shown is in a table once; a position is found without going through those before it.

import { changedCells, nothingDirty, rowId } from "../experiments/experiment_model.js";

export const TRACK_VERSION = 1;
export const SPEEDS = [1, 2, 4, 8, 16];
/** Playing, a gap without an entry lasts at most so long if quiet time is skipped. */
export const QUIET_S = 1;
export const SHOWS = { head: 1, columns: 2, rows: 4, picture: 8 };
const WHOLE = { head: "head", columns: "columns", wide: "picture", narrow: "picture", paths: "picture" };
const CHECKPOINT = 32;
const REMEMBERED = 256;

export class NotATrack extends Error {}

/** Sums of differences. */
export function sums(differences, Type) {
  const found = new Type(differences.length);
  let sum = 0;
  for (let place = 0; place < differences.length; place += 1) {
    sum += differences[place];
    found[place] = sum;
  }
  return found;
}

/** The last place in a sorted array whose value is not greater; -1 if there is none. */
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

/** Keeps what was asked for lately. */
function remembering(make, most = REMEMBERED) {
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
 * Sequences of numbers, each written as what differs from an earlier one. Every so many of them one is kept, so that
 * none needs more steps than that.
 */
function readChains(written) {
  const bases = new Int32Array(written.length);
  const depths = new Int32Array(written.length);
  const inserted = [];
  let last = 0;
  written.forEach(([back, , , ...steps], number) => {
    bases[number] = number - back;
    depths[number] = bases[number] < 0 ? 0 : depths[bases[number]] + 1;
    inserted.push(steps.map((step) => (last += step)));
  });
  const checkpoints = new Map();
  return remembering(function find(wanted) {
    const way = [];
    let number = wanted;
    while (number >= 0 && !checkpoints.has(number)) {
      way.push(number);
      number = bases[number];
    }
    let items = number < 0 ? [] : checkpoints.get(number);
    for (const step of way.reverse()) {
      const [, start, removed] = written[step];
      items = [...items.slice(0, start), ...inserted[step], ...items.slice(start + removed)];
      if (depths[step] % CHECKPOINT === 0) checkpoints.set(step, items);
    }
    return items;
  });
}

/** For each position the number that holds there, -1 before the first. */
function spread([positions, numbers], length) {
  const places = sums(positions, Int32Array);
  const values = sums(numbers, Int32Array);
  const found = new Int32Array(length).fill(-1);
  places.forEach((place, n) => found.fill(values[n], place, places[n + 1] ?? length));
  return { found, places };
}

/** When each entry comes while it is played: no gap lasts longer than `most` seconds. */
export function gaps(times, most) {
  const found = new Float64Array(times.length);
  for (let place = 1; place < times.length; place += 1) {
    found[place] = found[place - 1] + Math.min(most, Math.max(0, times[place] - times[place - 1]) / 1000);
  }
  return found;
}

/** A track that can be asked, from the decoded JSON. Throws NotATrack. */
export function readTrack(raw) {
  if (raw === null || typeof raw !== "object" || raw.v !== TRACK_VERSION) throw new NotATrack("not a track of this version");
  const { tables } = raw;
  const length = raw.seqs.length;
  const seqs = sums(raw.seqs, Float64Array);
  const times = sums(raw.times, Float64Array);
  const latest = times.slice();
  for (let place = 1; place < length; place += 1) latest[place] = Math.max(latest[place], latest[place - 1]);
  const kinds = new Uint8Array(length);
  const now = {};
  for (const [name, changes] of Object.entries(raw.changes)) {
    const { found, places } = spread(changes, length);
    now[name] = found;
    for (const place of places) kinds[place] |= SHOWS[WHOLE[name] ?? "rows"];
  }
  const sections = Object.keys(raw.changes).filter((name) => !(name in WHOLE));
  const told = [];
  raw.texts.forEach((text, place) => {
    if (text) told.push(place);
  });

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
  const pictures = remembering((number) => {
    const [width, height, summary, boxList, edgeList] = tables.pictures[number];
    return {
      width,
      height,
      boxes: boxLists(boxList).map(box),
      edges: edgeLists(edgeList).map((one) => tables.edges[one]),
      summary: tables.summaries[summary],
    };
  });
  const paths = remembering((number) => pathLists(number).map((one) => tables.paths[one]));
  const empty = { width: 0, height: 0, boxes: [], edges: [], summary: "" };
  const playing = { true: gaps(times, QUIET_S), false: gaps(times, Infinity) };

  return {
    length,
    seqs,
    kinds,
    told: Int32Array.from(told),
    truncated: raw.truncated,
    sections,
    /** Everything as it was shown then: the same model as protocol.js has, and the numbers of its parts. */
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
    /** The entry as a line of the timeline, also one without a text. */
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
    /** The last entry that said something until then, as its place in `told`; -1 if there is none. */
    toldAt: (position) => lastNotAfter(told, position),
    /** The last entry that was not later than so many seconds since the epoch; the first one if all were. */
    positionAt: (seconds) => Math.max(0, lastNotAfter(latest, (seconds - raw.first_at) * 1000 + 0.5)),
    positionOf: (seq) => Math.max(0, lastNotAfter(seqs, seq)),
    /** The next position that shows something else; the last one if none does. */
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
    /** When a position comes, in seconds of playing at 1×. */
    playTime: (position, skipQuiet) => playing[Boolean(skipQuiet)][position],
    /** What is shown after so many seconds of playing. */
    playedTo: (seconds, skipQuiet) => Math.max(0, lastNotAfter(playing[Boolean(skipQuiet)], seconds)),
  };
}

/** Base64 of what deflate (zlib) made of a track's JSON: as it stands in a report's file. */
export async function unpackTrack(text) {
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
 * What must be drawn again on the way from one model to another: what is the same object looks the same.
 * `marked`: also which cells changed, for who is to see them.
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
