// Puts the page together. State enters through data attributes and messages, markup only through templates. What one
// page alone needs is loaded by that page alone; its template names it (templatetags/modules.py).

import { createCopying, createLocalTimes, createMenu, createTheme } from "./ui/chrome.js";

async function trackOfPage() {
  const { getJson } = await import("./io/http.js");
  return getJson(document.querySelector("[data-track]").dataset.track);
}

const main = document.getElementById("main");
createTheme();
createMenu();
createCopying();
createLocalTimes();
if (main.querySelector("[data-launch]")) (await import("./ui/launch.js")).createLaunch(main);
if (main.dataset.page === "experiment") (await import("./ui/experiment.js")).createExperiment(main);
if (main.dataset.page === "step") (await import("./ui/workshop.js")).createWorkshopStep(main);
if (main.dataset.page === "result") (await import("./ui/workshop.js")).createPrinting(main);
if (main.dataset.page === "claims") (await import("./ui/claims.js")).createClaims(main);
if (main.dataset.page === "report") (await import("./ui/report.js")).createReport(main, trackOfPage);
if (main.dataset.page === "measurement") (await import("./ui/measure.js")).createMeasurement(main);
if (main.querySelector("[data-session]")) (await import("./ui/session.js")).createSession(main);
if (main.querySelector("[data-terminal]")) (await import("./ui/terminal.js")).createTerminal(main);
if (main.querySelector("[data-recording]")) (await import("./ui/recording.js")).createRecording(main);
if (main.dataset.page === "console") (await import("./ui/console.js")).createConsole(main);
if (main.dataset.readOnly !== undefined) {
  (await import("./ui/session.js")).createPointed(main);
  (await import("./ui/console.js")).createPointing(main);
}
