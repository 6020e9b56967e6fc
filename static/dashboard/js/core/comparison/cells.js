// One cell per column; the same rules as dashboard/web/experiments/table_presenter.py.

// Namespace inodes: the fixed ones and those from PROC_DYNAMIC_FIRST (0xF0000000) on (include/linux/proc_ns.h).
const INODE = /^(?:[a-z_]+:\[)?(4[0-2]\d{8})\]?$/;
const FIRST_INODE = 0xeffffff8;

export function namespaceInode(text) {
  const match = INODE.exec(text ?? "");
  return match && Number(match[1]) >= FIRST_INODE ? match[1] : null;
}

/** [{column, title, mode, kind: value|absent|namespace, text, note, owner}] in the order of the columns. */
export function listCells(row, columns) {
  const owners = new Map();
  return columns.map((column) => {
    const text = row.cells[column.key] ?? null;
    const cell = {
      column: column.key,
      title: column.title,
      mode: column.mode,
      kind: "value",
      text,
      note: row.notes?.[column.key] ?? "",
      owner: "",
    };
    if (text === null) return { ...cell, kind: "absent", text: row.absent?.[column.key] || "none" };
    const inode = namespaceInode(text);
    if (inode === null) return cell;
    const stack = `${column.machine ?? ""} ${inode}`; // the number of a stack on its machine
    if (!owners.has(stack)) owners.set(stack, column.mode);
    return { ...cell, kind: "namespace", owner: owners.get(stack) };
  });
}
