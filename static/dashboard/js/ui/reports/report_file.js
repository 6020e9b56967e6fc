// The script of an exported report: the functions of its page, without a server.

import { createCopyButtons, createThemeButton } from "../site_header.js";
import { unpackRecording } from "../../core/reports/replay.js";
import { createReport } from "./report.js";
import { createReadings } from "../measurements/reading.js";

createThemeButton();
createCopyButtons();
createReadings();
createReport(document.getElementById("main"), () => unpackRecording(document.getElementById("report-recording").textContent));
