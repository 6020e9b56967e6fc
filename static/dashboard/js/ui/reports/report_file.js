// The script of a report's own file: what the page has, without a server.

import { createCopyButtons, createThemeButton } from "../site_header.js";
import { unpackTrack } from "../../core/reports/replay.js";
import { createReport } from "./report.js";

createThemeButton();
createCopyButtons();
createReport(document.getElementById("main"), () => unpackTrack(document.getElementById("report-recording").textContent));
