// Starts the parts of a page. State enters through data attributes and messages, markup only through templates. Modules
// that only one page needs are loaded by that page; its template names them (templatetags/modules.py).

import { createFormGuard } from "./ui/server_away.js";
import { createCopyButtons, createLocalTimes, createMenu, createThemeButton } from "./ui/site_header.js";

async function loadRecording() {
  const { getJson } = await import("./io/http.js");
  return getJson(document.querySelector("[data-track]").dataset.track);
}

const main = document.getElementById("main");
createThemeButton();
createMenu();
createCopyButtons();
createLocalTimes();
createFormGuard();
if (main.querySelector("[data-launch]")) (await import("./ui/experiments/launch_form.js")).createLaunchForm(main);
if (main.dataset.page === "experiment") (await import("./ui/experiments/experiment.js")).createExperiment(main);
if (main.dataset.page === "step") (await import("./ui/workshops/workshop.js")).createWorkshopStep(main);
if (main.dataset.page === "result") (await import("./ui/workshops/workshop.js")).createPrinting(main);
if (main.dataset.page === "questions") (await import("./ui/claims/questions.js")).createQuestions(main);
if (["claims", "questions", "machines", "lans"].includes(main.dataset.page)) (await import("./ui/claims/claims.js")).createClaims(main);
if (main.dataset.page !== "measurement" && main.querySelector("[data-reading]")) (await import("./ui/measurements/reading.js")).createReadings(main);
if (main.dataset.page === "report") (await import("./ui/reports/report.js")).createReport(main, loadRecording);
if (main.querySelector("[data-transfer]")) (await import("./ui/reports/transfer.js")).createTransfers(main);
if (main.dataset.page === "measurement") (await import("./ui/measurements/measurement.js")).createMeasurement(main);
if (main.querySelector("[data-session]")) (await import("./ui/training/session.js")).createSession(main);
if (main.querySelector("[data-terminal]")) (await import("./ui/terminal/terminal.js")).createTerminal(main);
if (main.querySelector("[data-recording]")) (await import("./ui/terminal/recording.js")).createRecording(main);
if (main.dataset.page === "console") (await import("./ui/training/instructor_console.js")).createConsole(main);
if (main.dataset.readOnly !== undefined) {
  (await import("./ui/training/session.js")).createPointed(main);
  (await import("./ui/training/instructor_console.js")).createPointing(main);
}
