// The page of a measurement: shows progress and provisional figures from the blocks. When the run begins or ends, the
// page is fetched again, because the server computes the final figures with intervals and verdicts.

import { createBlocks, layOutAxis, receive, formatMicrosPlain, formatSigned } from "../../core/measurements/measurement.js";
import { fill } from "../../core/format.js";
import { getJson, getPage } from "../../io/http.js";
import { connect } from "../../io/socket.js";
import { createConnection } from "../experiments/connection.js";
import { createLocalTimes } from "../site_header.js";
import { createTimeChart, drawDistribution, drawMark } from "./chart.js";
import { createReading } from "./reading.js";
import { announce, keepDetailsOpen, released, setText, slot, svgElement } from "../dom.js";

const LIVE = new Set(["waiting", "running"]);
const TICK_MS = 250;

function readJson(id, root = document) {
  const element = root.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

function isHidden(main, key) {
  const box = main.querySelector(`[data-toggle="${CSS.escape(key)}"]`);
  return box !== null && !box.checked;
}

/** The chart over time, created again after its part of the page was replaced. */
function createOverTime(main, blocks) {
  const box = main.querySelector('[data-chart="over-time"]');
  const data = readJson("chart-data");
  if (box === null || data.series.length === 0) return null;
  const band = main.querySelector("[data-band]");
  const chart = createTimeChart(box, {
    lines: data.series,
    columns: () => blocks().columns(),
    shown: (key) => !isHidden(main, key),
    banded: () => band.checked,
    name: box.dataset.name,
  });
  createReading(box);
  main.querySelector("[data-chart-tools]").hidden = false;
  band.addEventListener("change", () => chart.redraw());
  for (const one of main.querySelectorAll("[data-toggle]")) one.addEventListener("change", () => chart.redraw());
  return chart;
}

function createDistribution(main, texts) {
  const details = main.querySelector("[data-distribution]");
  if (details === null) return;
  const state = slot(details, "distribution-state");
  const box = details.querySelector('[data-chart="distribution"]');
  details.addEventListener("toggle", async () => {
    if (!details.open || details.dataset.read) return;
    details.dataset.read = "yes";
    setText(state, texts.loading);
    try {
      const { series } = await getJson(details.dataset.distribution);
      const known = new Map(readJson("chart-data").series.map((one) => [one.key, one]));
      const curves = series.filter((one) => one.points.length > 0 && known.has(one.key)).map((one) => ({ ...known.get(one.key), points: one.points }));
      setText(state, curves.length > 0 ? "" : texts.nothing);
      if (curves.length > 0) {
        drawDistribution(box, curves, details.querySelector("summary").textContent.trim());
        createReading(box);
      }
    } catch (error) {
      delete details.dataset.read;
      setText(state, fill(texts.noDistribution, { reason: error.message }));
    }
  });
}

/** Provisional figures: p50, p99 and n of each path, and its difference; no interval and no verdict. */
function drawSoFar(main, blocks, texts) {
  for (const group of main.querySelectorAll("[data-group]")) {
    setText(slot(group, "headline"), texts.measuring);
    for (const one of group.querySelectorAll("[data-settled]")) one.hidden = true;
    const rows = [...group.querySelectorAll("tr[data-series]:not(.missing)")];
    const baseline = rows.find((row) => row.dataset.series === group.dataset.baseline) ?? rows[0];
    const found = new Map();
    for (const row of rows) {
      const key = row.dataset.series;
      const { n, middle, tail } = blocks.progress(key);
      setText(slot(row, "p50"), formatMicrosPlain(middle));
      setText(slot(row, "p99"), formatMicrosPlain(tail));
      setText(slot(row, "n"), n ? String(n) : "–");
      const delta = row === baseline ? 0 : blocks.difference(baseline.dataset.series, key);
      found.set(key, delta);
      if (row !== baseline && delta !== null) {
        setText(slot(row, "against"), formatSigned(delta));
        setText(slot(row, "verdict"), texts.soFar);
      }
    }
    drawDots(group, found);
  }
  for (const row of main.querySelectorAll("[data-blocks]")) {
    const now = blocks.progress(row.dataset.blocks);
    setText(slot(row, "count"), String(now.count));
    setText(slot(row, "failed"), String(now.failed));
    for (const name of ["lowest", "middle", "highest", "tail"]) setText(slot(row, name), formatMicrosPlain(now[name]));
  }
}

function lineAt(at, name) {
  return svgElement("line", { x1: at, x2: at, y1: 0, y2: "100%", ...(name ? { class: name } : {}) });
}

function drawDots(group, differences) {
  const axis = layOutAxis([...differences.values()]);
  for (const item of group.querySelectorAll(".dots li")) {
    const delta = differences.get(item.dataset.series) ?? null;
    const strip = item.querySelector(".strip");
    const grid = svgElement("g", { class: "grid" });
    grid.append(...axis.ticks.map((tick) => lineAt(tick.at)));
    const drawn = [grid, lineAt(axis.zero, "zero")];
    if (delta !== null) {
      drawn.push(drawMark(strip.dataset.mark, 12, { x: axis.at(delta), y: "50%" }));
      strip.setAttribute("aria-label", `${item.querySelector(".path-words").textContent}: ${formatSigned(delta)} µs`);
    }
    strip.replaceChildren(...drawn);
  }
  group.querySelector("[data-axis]").replaceChildren(...axis.ticks.map((tick) => {
    const text = svgElement("text", { x: tick.at, y: 14 });
    text.textContent = tick.text;
    return text;
  }));
}

/** Elapsed and remaining time between two messages, by the browser's own clock. */
function createProgress(main, texts) {
  let run = null;
  let heardAt = 0;
  function show() {
    const box = main.querySelector("[data-progress]");
    if (box === null || run === null) return;
    const label = slot(box, "progress");
    const bar = box.querySelector("progress");
    if (run.state !== "running" || run.wanted === "cancelled") {
      setText(label, run.wanted === "cancelled" ? texts.ending : texts.waiting);
      bar.removeAttribute("value");
      return;
    }
    const elapsed = Math.min(run.seconds, run.elapsed_s + (performance.now() - heardAt) / 1000);
    bar.max = run.seconds;
    bar.value = elapsed;
    setText(label, fill(texts.left, { elapsed: elapsed.toFixed(1), seconds: run.seconds.toFixed(1), left: (run.seconds - elapsed).toFixed(1) }));
  }
  setInterval(show, TICK_MS);
  return (next) => {
    run = next;
    heardAt = performance.now();
    show();
  };
}

export function createMeasurement(main) {
  const texts = readJson("measure-words");
  let blocks = createBlocks(readJson("chart-data"));
  let chart = createOverTime(main, () => blocks);
  createDistribution(main, texts);
  if (!main.dataset.ws) return;

  const connection = createConnection(main);
  const progress = createProgress(main, texts);
  let state = main.dataset.state;
  let refreshing = Promise.resolve();
  let scheduled = false;

  function draw() {
    scheduled = false;
    if (!LIVE.has(state)) return;
    drawSoFar(main, blocks, texts);
    chart?.redraw();
  }

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    if (document.visibilityState === "hidden") queueMicrotask(draw);
    else requestAnimationFrame(draw);
  }

  /** Replaces parts of the page by those that the server renders now; the rest of the page is unchanged. */
  async function refresh() {
    const page = await getPage(location.pathname);
    await released();
    const hidden = new Set([...main.querySelectorAll("[data-toggle]:not(:checked)")].map((one) => one.dataset.toggle));
    const opened = main.querySelector("[data-distribution]")?.open ?? false;
    const focused = document.activeElement;
    for (const part of main.querySelectorAll("[data-part]")) {
      const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
      if (fresh === null) continue;
      keepDetailsOpen(part, fresh);
      part.replaceWith(document.adoptNode(fresh));
    }
    if (focused !== document.body && !focused.isConnected) main.focus({ preventScroll: true });
    main.dataset.state = page.getElementById("main").dataset.state;
    for (const one of main.querySelectorAll("[data-toggle]")) one.checked = !hidden.has(one.dataset.toggle);
    createLocalTimes();
    chart = createOverTime(main, () => blocks);
    createDistribution(main, texts);
    if (opened) main.querySelector("[data-distribution]").open = true;
    if (LIVE.has(state)) {
      announce(texts.begun);
      schedule();
    } else {
      announce(fill(texts.ended, { state: texts.states[state] ?? state, headline: slot(main, "headline")?.textContent ?? "" }));
    }
  }

  function changeTo(next) {
    state = next;
    // One after the other: a run may end while the page is still being fetched for its start.
    refreshing = refreshing.then(refresh).catch(() => location.reload());
    if (!LIVE.has(next)) {
      socket.stop();
      main.querySelector(".head [data-connection]").remove();
    }
  }

  const socket = connect(main.dataset.ws, {
    opened() {},
    message(message) {
      const effect = receive(state, message);
      if (effect === "reload") {
        socket.stop();
        connection.ended("otherVersion");
      } else if (effect !== "ignore") {
        if (message.type === "measurement") blocks = replaceBlocks(message.blocks);
        else message.blocks.forEach(blocks.add);
        connection.live("running");
        progress(message.run);
        if (effect === "refresh") changeTo(message.run.state);
        else schedule();
      }
    },
    lost: () => connection.lost(),
    ended: (reason) => connection.ended(reason),
  });

  function replaceBlocks(list) {
    const fresh = createBlocks();
    list.forEach(fresh.add);
    return fresh;
  }
}
