// Puts the page together. State enters through data attributes and messages, markup only through templates.

import { createCopying, createLocalTimes, createMenu, createTheme } from "./ui/chrome.js";
import { createExperiment } from "./ui/experiment.js";
import { createLaunch } from "./ui/launch.js";
import { getJson } from "./io/http.js";

const trackOfPage = () => getJson(document.querySelector("[data-track]").dataset.track);

const main = document.getElementById("main");
createTheme();
createMenu();
createCopying();
createLocalTimes();
createLaunch(main);
if (main.dataset.page === "experiment") createExperiment(main);
if (main.dataset.page === "step") (await import("./ui/workshop.js")).createWorkshopStep(main);
if (main.dataset.page === "result") (await import("./ui/workshop.js")).createPrinting(main);
if (main.dataset.page === "claims") (await import("./ui/claims.js")).createClaims(main);
if (main.dataset.page === "report") (await import("./ui/report.js")).createReport(main, trackOfPage);
if (main.dataset.page === "measurement") (await import("./ui/measure.js")).createMeasurement(main);
if (main.querySelector("[data-session]")) (await import("./ui/session.js")).createSession(main);
if (main.dataset.page === "console") (await import("./ui/console.js")).createConsole(main);
if (main.dataset.readOnly !== undefined) {
  (await import("./ui/session.js")).createPointed(main);
  (await import("./ui/console.js")).createPointing(main);
}
