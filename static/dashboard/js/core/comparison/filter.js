// Selects the rows to show: differences only, a search, and folding of long sections.

export const FOLD_AFTER = 40;

/** Words that must all occur, in any order and case. */
export function parseQuery(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

export function matches(text, words) {
  return words.every((word) => text.includes(word));
}

/** The text that a search looks at: everything in the row. */
export function makeSearchText(row, columns) {
  const parts = [row.label, row.key, row.field, row.why, row.section];
  for (const column of columns) {
    parts.push(row.cells[column.key] ?? row.absent?.[column.key] ?? "", row.notes?.[column.key] ?? "");
  }
  return parts.join("\n").toLowerCase();
}

/**
 * rows: [{id, section, relation, detail, why, searchText()}] in order. A search looks at all rows, also at those that are the
 * same and at details. Returns the ids to show, those of them with the same reason as the row above, and, per section, how many
 * differ, are the same, match, are folded, and are details.
 */
export function selectRows(rows, { words = [], onlyDifferences = true, expanded = new Set(), detailed = new Set(), limit = FOLD_AFTER } = {}) {
  const shown = new Set();
  const again = new Set();
  const sections = new Map();
  const searching = words.length > 0;
  for (const row of rows) {
    let section = sections.get(row.section);
    if (section === undefined) {
      section = { differ: 0, same: 0, matching: 0, folded: 0, details: 0, reason: "" };
      sections.set(row.section, section);
    }
    if (row.relation === "same") section.same += 1;
    else if (row.relation !== "unknown") section.differ += 1;
    if (searching ? !matches(row.searchText(), words) : onlyDifferences && row.relation === "same") continue;
    section.matching += 1;
    if (row.detail && !searching) {
      section.details += 1;
      if (!detailed.has(row.section)) continue;
    } else if (section.matching - section.details > limit && !expanded.has(row.section)) {
      section.folded += 1;
      continue;
    }
    shown.add(row.id);
    if (row.why && row.why === section.reason) again.add(row.id);
    section.reason = row.why;
  }
  return { shown, again, sections };
}

export function totals(sections) {
  let differ = 0;
  let same = 0;
  let matching = 0;
  for (const section of sections.values()) {
    differ += section.differ;
    same += section.same;
    matching += section.matching;
  }
  return { differ, same, matching };
}
