// A report: its table can be filtered, and replay shows it at any moment.

import { nothingDirty } from "../../core/experiments/experiment_model.js";
import { createColumns } from "../comparison/columns.js";
import { createPictures } from "../diagram/picture.js";
import { offerReplay } from "./replay.js";
import { createTable } from "../comparison/table.js";

/** `load` resolves to the recording of the report. */
export function createReport(main, load) {
  const comparison = main.querySelector("#comparison");
  if (comparison === null) return;
  const table = createTable(comparison);
  if (main.querySelector("[data-replay]") === null) return;
  const columns = createColumns(main);
  const pictures = createPictures(main);

  function draw(model, dirty) {
    if (dirty.everything || dirty.columns) columns.draw(model.columns);
    if (dirty.everything || dirty.pictures) pictures.draw(model, null);
    table.draw(model, dirty);
  }

  offerReplay(main, {
    load,
    draw,
    left: (home) => draw(home, { ...nothingDirty(), everything: true }),
  });
}
