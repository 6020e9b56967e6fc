// The replay of a session (dashboard/core/training/results/replay.py) by position. Each entry sets slots; a position shows
// what the slots hold after all entries up to it.

import { InvalidRecording, lastNotAfter, readEntries } from "../reports/replay.js";

const SESSION_TRACK_VERSION = 1;
/** The minimum number of entries between two stored copies of all slots. */
const CHECKPOINT = 256;

/** The histogram of a slot `answers` and its step. */
export function histogramOf(answers, step) {
  return {
    question: step.question,
    choices: answers.counts.map((count, number) => ({
      text: step.choices[number],
      count,
      right: answers.known ? number === answers.right : null,
    })),
    answered: answers.answered,
    revealed: answers.revealed,
    truth: answers.truth,
    read: answers.read,
  };
}

export function readSessionTrack(raw) {
  if (raw === null || typeof raw !== "object" || raw.kind !== "class" || raw.v !== SESSION_TRACK_VERSION) {
    throw new InvalidRecording("not a session's track of this version");
  }
  const length = raw.texts.length;
  const { times, ...entries } = readEntries(raw);
  const { lines } = entries;
  const every = Math.max(CHECKPOINT, 2 * raw.people.length * raw.steps.length);
  const checkpoints = [new Map()]; // after every n·every entries
  let last = { position: -1, slots: new Map() };

  function apply(slots, from, to) {
    for (let place = from; place <= to; place += 1) for (const [name, value] of raw.patches[place]) slots.set(name, value);
    return slots;
  }

  function checkpoint(number) {
    while (checkpoints.length <= number) {
      const n = checkpoints.length;
      checkpoints.push(apply(new Map(checkpoints[n - 1]), (n - 1) * every, n * every - 1));
    }
    return checkpoints[number];
  }

  function slotsAt(position) {
    if (position < last.position || position - last.position > every) {
      const number = Math.floor((position + 1) / every);
      last = { position: number * every - 1, slots: new Map(checkpoint(number)) };
    }
    apply(last.slots, last.position + 1, position);
    last.position = position;
    return last.slots;
  }

  return {
    ...entries,
    length,
    people: raw.people,
    steps: raw.steps,
    mirrors: raw.mirrors,
    /** `slots` is valid until the next call. */
    at: (position) => ({ position, slots: slotsAt(position), columns: [] }),
    item: (position) => ({
      seq: position + 1,
      at: raw.first_at + times[position] / 1000,
      offset_s: Math.max(0, times[position]) / 1000,
      text: raw.texts[position],
      cause: "",
      columns: [],
    }),
    positionOf: (seq) => Math.max(0, Math.min(seq, length) - 1),
    /** The next position with a text. */
    nextChange(position) {
      const place = lastNotAfter(lines, position) + 1;
      return place < lines.length ? lines[place] : Math.max(0, length - 1);
    },
    previousChange(position) {
      const place = lastNotAfter(lines, position - 1);
      return place < 0 ? 0 : lines[place];
    },
  };
}
