// The script of the exported session file: its replay, without a server.

import { readSessionTrack } from "../../core/training/session_track.js";
import { unpackRecording } from "../../core/reports/replay.js";
import { createCopyButtons, createThemeButton } from "../site_header.js";
import { createStage } from "./session_replay.js";
import { offerReplay } from "../reports/replay.js";

const main = document.getElementById("main");
let unpacked = null;
let stage = null;

async function load() {
  unpacked ??= await unpackRecording(document.getElementById("session-track").textContent);
  stage ??= createStage(main, unpacked);
  return unpacked;
}

createThemeButton();
createCopyButtons();
offerReplay(main, {
  load,
  read: readSessionTrack,
  between: () => null,
  draw: (model, _dirty, { at }) => stage.draw(model, at),
  left: () => stage.end(),
});
main.querySelector("[data-replay-open]").click();
