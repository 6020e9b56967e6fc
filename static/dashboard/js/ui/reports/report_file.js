// The script of a report's own file: what the page has, without a server.

import { createCopying, createTheme } from "../site_header.js";
import { unpackTrack } from "../../core/reports/replay.js";
import { createReport } from "./report.js";

createTheme();
createCopying();
createReport(document.getElementById("main"), () => unpackTrack(document.getElementById("report-track").textContent));
