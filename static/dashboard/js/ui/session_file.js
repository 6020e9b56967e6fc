// The script of a class's own file: its replay, without a server.

import { readClassTrack } from "../core/class_track.js";
import { unpackTrack } from "../core/replay.js";
import { createCopying, createTheme } from "./chrome.js";
import { createStage } from "./class_stage.js";
import { offerReplay } from "./replay.js";

const main = document.getElementById("main");
let unpacked = null;
let stage = null;

async function load() {
  unpacked ??= await unpackTrack(document.getElementById("class-track").textContent);
  stage ??= createStage(main, unpacked);
  return unpacked;
}

createTheme();
createCopying();
offerReplay(main, {
  load,
  read: readClassTrack,
  between: () => null,
  draw: (model, _dirty, { at }) => stage.draw(model, at),
  left: () => stage.end(),
});
main.querySelector("[data-replay-open]").click();
