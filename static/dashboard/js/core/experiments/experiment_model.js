// Applies the messages of /ws/experiments/<id>/: a snapshot, then numbered patches. Pure functions: model and message in,
// next model and what to redraw out. The same rules as dashboard/core/experiments/stream.py.

export const PROTOCOL_VERSION = 1;

/** The parts of a message that replace those of the model, and what to redraw then. */
const PARTS = {
  experiment: "head", columns: "columns", wide: "pictures", narrow: "pictures", paths: "pictures", answer: "answer",
  launching: "launching", trial: "trial",
};
const FLAGS = ["everything", ...new Set(Object.values(PARTS))];

/** What to redraw: flags, and `cells`, which maps a row's id to the columns that changed. */
export function nothingDirty() {
  const flags = Object.fromEntries(FLAGS.map((flag) => [flag, false]));
  return { ...flags, rows: new Set(), removed: new Set(), cells: new Map(), timeline: [] };
}

export function isClean(dirty) {
  return FLAGS.every((flag) => !dirty[flag]) && !dirty.rows.size && !dirty.removed.size && !dirty.timeline.length;
}

/** Combines two changes, so that one frame draws many patches. */
export function mergeDirty(earlier, later) {
  if (later.everything) return later;
  const merged = {
    ...Object.fromEntries(FLAGS.map((flag) => [flag, earlier[flag] || later[flag]])),
    rows: new Set(earlier.rows),
    removed: new Set(earlier.removed),
    cells: new Map(earlier.cells),
    timeline: [...earlier.timeline, ...later.timeline],
  };
  for (const id of later.removed) {
    merged.rows.delete(id);
    merged.cells.delete(id);
    merged.removed.add(id);
  }
  for (const id of later.rows) {
    // A row that was removed and added again is a new row at a new position: keep both.
    merged.rows.add(id);
  }
  for (const [id, columns] of later.cells) {
    merged.cells.set(id, new Set([...(merged.cells.get(id) ?? []), ...columns]));
  }
  return merged;
}

export function rowId(row) {
  return `${row.section}/${row.key}/${row.field}`;
}

/** The columns in which the cell (text, note or word for no value) differs. */
export function changedCells(before, after) {
  const changed = new Set();
  for (const column of Object.keys(after.cells)) {
    const text = after.cells[column];
    if (before === undefined) {
      if (text !== null) changed.add(column);
    } else if (
      before.cells[column] !== text ||
      (before.notes?.[column] ?? "") !== (after.notes?.[column] ?? "") ||
      (text === null && (before.absent?.[column] ?? "") !== (after.absent?.[column] ?? ""))
    ) {
      changed.add(column);
    }
  }
  return changed;
}

function fromSnapshot(message) {
  const rows = new Map();
  for (const row of message.rows) rows.set(rowId(row), row);
  return {
    seq: message.seq,
    experiment: message.experiment,
    columns: message.columns,
    rows,
    order: [...rows.keys()],
    wide: message.wide,
    narrow: message.narrow,
    timeline: message.timeline,
    omitted: message.omitted ?? 0,
    paths: message.paths ?? [],
    answer: message.answer ?? null,
    launching: message.launching ?? [],
    trial: message.trial ?? null,
  };
}

/** After a reconnect everything is redrawn, and cells that changed in the meantime are highlighted. */
function dirtyAfterSnapshot(model, next) {
  const dirty = nothingDirty();
  dirty.everything = true;
  if (model) {
    for (const [id, row] of next.rows) {
      const cells = changedCells(model.rows.get(id), row);
      if (cells.size > 0) dirty.cells.set(id, cells);
    }
  }
  return dirty;
}

function applyRows(model, patch, dirty) {
  if (patch.remove.length === 0 && patch.set.length === 0) return { rows: model.rows, order: model.order };
  const rows = new Map(model.rows);
  let order = model.order;
  if (patch.remove.length > 0) {
    const gone = new Set(patch.remove);
    order = order.filter((id) => !gone.has(id));
    for (const id of gone) {
      rows.delete(id);
      dirty.removed.add(id);
    }
  } else {
    order = [...order];
  }
  for (const { id, after, row } of patch.set) {
    const before = rows.get(id);
    if (before === undefined) order.splice(order.indexOf(after) + 1, 0, id);
    rows.set(id, row);
    dirty.rows.add(id);
    const cells = changedCells(model.rows.get(id), row);
    if (cells.size > 0) dirty.cells.set(id, cells);
  }
  return { rows, order };
}

/**
 * The next model. `effect` is `draw`, `resync` (a patch is missing: reconnect to get a snapshot), `reload` (the server has
 * another protocol version) or `ignore`.
 */
export function receive(model, message) {
  const ignored = { model, effect: "ignore", dirty: nothingDirty() };
  if (message === null || typeof message !== "object") return ignored;
  if (message.type !== "snapshot" && message.type !== "patch") return ignored;
  if (message.v !== PROTOCOL_VERSION) return { ...ignored, effect: "reload" };
  if (message.type === "snapshot") {
    const next = fromSnapshot(message);
    return { model: next, effect: "draw", dirty: dirtyAfterSnapshot(model, next) };
  }
  if (model === null) return { ...ignored, effect: "resync" };
  if (message.seq <= model.seq) return ignored;
  if (message.base !== model.seq) return { ...ignored, effect: "resync" };
  const dirty = nothingDirty();
  const { rows, order } = applyRows(model, message.rows, dirty);
  const next = { ...model, seq: message.seq, rows, order };
  for (const [part, flag] of Object.entries(PARTS)) {
    if (!message[part]) continue;
    next[part] = message[part];
    dirty[flag] = true;
  }
  if (message.timeline.length > 0) {
    const last = model.timeline.length > 0 ? model.timeline[model.timeline.length - 1].seq : -Infinity;
    const fresh = message.timeline.filter((item) => item.seq > last);
    next.timeline = [...model.timeline, ...fresh];
    dirty.timeline = fresh;
  }
  return { model: next, effect: "draw", dirty };
}
