// A report to read: the table can be searched; replay moves everything to another moment.

import { createTable } from "./table.js";

export function createReport(main) {
  const comparison = main.querySelector("#comparison");
  if (comparison === null) return null;
  return createTable(comparison);
}
