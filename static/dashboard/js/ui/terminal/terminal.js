// The terminal next to a step. Its library is loaded when it is first opened; then it opens by itself on the next steps.

import { addressOf, createOutbox, goesOn, isReport, roleOf } from "../../core/terminal/terminal.js";
import { keepStylesStrict } from "../../io/strict_styles.js";
import { connectTerminal } from "../../io/terminal_socket.js";
import { recall, remember } from "../../io/storage.js";
import { announce, setHidden, setText, showText, slot, words } from "../dom.js";

const FONT_PX = 14;
const SCROLLBACK_LINES = 5000;
const FIT_MS = 120;
const ERASE_ABOVE = 3;
const LOOKS = ["wheel", "touchmove", "pointerup", "keyup"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The page's colours. Custom properties may contain light-dark(…): an element resolves them. */
function themeOf(card) {
  const probe = document.createElement("i");
  card.append(probe);
  const found = {};
  for (const [key, name] of Object.entries({ background: "--sunk", foreground: "--ink", cursor: "--ink", cursorAccent: "--sunk" })) {
    probe.style.color = colour(name) ? `var(${name})` : "";
    found[key] = getComputedStyle(probe).color;
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = document.documentElement.dataset.theme;
  found.selectionBackground = (theme ? theme === "dark" : dark) ? "#3b4f63" : "#b9d3f0";
  probe.remove();
  return found;
}

function loadStyle(address) {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = address;
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => reject(new Error(address)));
    document.head.append(link);
  });
}

export function createTerminal(main) {
  const card = main.querySelector("[data-terminal]");
  const says = JSON.parse(document.getElementById("terminal-words").textContent);
  const openButton = slot(card, "terminal-open");
  if (!openButton) return; // the library is not installed, which the card states
  const againButton = slot(card, "terminal-again");
  const reader = slot(card, "terminal-reader");
  let terminal = null;

  function state(kind, text) {
    const badge = slot(card, "terminal-state");
    badge.dataset.connection = kind;
    setText(slot(badge, "terminal-word"), text);
  }

  function fail(sentence) {
    showText(slot(card, "terminal-problem"), sentence);
  }

  async function open({ focus }) {
    openButton.setAttribute("aria-disabled", "true");
    state("connecting", words.connecting);
    try {
      keepStylesStrict();
      const [{ Terminal }, { FitAddon }] = await Promise.all([
        import(card.dataset.xterm),
        import(card.dataset.fit),
        loadStyle(card.dataset.style),
      ]);
      setHidden(slot(card, "terminal-closed"), true);
      setHidden(slot(card, "terminal-open-part"), false);
      start(Terminal, FitAddon, focus);
      remember("terminal", card.dataset.terminal);
    } catch (error) {
      state("lost", says.notLoaded);
      fail(says.notLoaded);
      console.info("terminal", error.message);
    } finally {
      openButton.removeAttribute("aria-disabled");
    }
  }

  function start(Terminal, FitAddon, focus) {
    const place = slot(card, "terminal-screen");
    terminal = new Terminal({
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontFamily: colour("--mono"),
      fontSize: FONT_PX,
      minimumContrastRatio: 4.5,
      screenReaderMode: recall("terminal-reader") === "on",
      scrollback: SCROLLBACK_LINES,
      theme: themeOf(card),
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(place);
    terminal.textarea?.setAttribute("aria-label", says.input);
    terminal.textarea?.setAttribute("aria-describedby", "terminal-keys");

    // xterm.js 6.0 sometimes behaves as if the user had scrolled up, and shows no new output: this tracks real scrolling.
    let follows = true;
    const atEnd = () => terminal.buffer.active.viewportY >= terminal.buffer.active.baseY;
    const look = () => setTimeout(() => (follows = atEnd()));
    for (const kind of LOOKS) place.addEventListener(kind, look, { capture: true, passive: true });
    terminal.parser.registerCsiHandler({ final: "J" }, ([kind]) => {
      follows ||= kind === ERASE_ABOVE; // the scrolled-to lines are erased
      return false;
    });

    const known = { run: "", at: 0, step: card.dataset.ofStep };
    const encoder = new TextEncoder();
    let live = false; // drawn output is newer than this window
    let holds = true; // input that is typed while not live waits
    let refused = false; // input was refused since the last shell answered: its sentence stays
    let ended = "";
    let replayed = 0;
    let mine = { cols: 0, rows: 0 };

    const wanted = () => {
      const size = fit.proposeDimensions();
      return size ? { cols: Math.max(20, size.cols || 80), rows: Math.max(5, size.rows || 24) } : { cols: 80, rows: 24 };
    };
    mine = wanted();

    const socket = connectTerminal(() => addressOf(card.dataset.terminal, known, mine), {
      opened() {
        holds = true;
        state("connecting", words.connecting);
      },
      output({ offset, data }) {
        known.at = offset + data.length;
        const at = known.at;
        terminal.write(data, () => {
          if (follows && !atEnd()) terminal.scrollToBottom();
          if (at >= replayed) goLive();
          socket.sendJson({ type: "seen", at });
        });
      },
      message(message) {
        if (message.type === "hello") hello(message);
        else if (message.type === "size") resizeTo(message);
        else if (message.type === "taken") outbox.took(message.bytes);
        else if (message.type === "ended") over(message);
      },
      lost() {
        // Input while disconnected is not sent to a later shell.
        live = holds = false;
        outbox.reset();
        state("lost", words.session.lost);
      },
      ended(why) {
        outbox.reset();
        if (!ended) live = holds = false;
        const gone = why === "gone" || why === "signedOut";
        state("lost", says.closed);
        setHidden(againButton, gone);
        if (!ended) fail(why === "many" ? says.many : gone ? says.gone : says.refused);
      },
    });
    const outbox = createOutbox((bytes) => socket.send(bytes));

    function hello(message) {
      if (!goesOn(known, message)) {
        if (known.run === "" || known.run === message.run) terminal.reset();
        known.run = message.run;
        known.at = message.start;
      }
      // Earlier output may contain queries to a terminal, which were answered then.
      replayed = message.live;
      live = false;
      outbox.hold();
      ended = "";
      if (!refused) fail("");
      refused = false;
      setHidden(againButton, true);
      setHidden(slot(card, "terminal-recorded"), !message.recorded);
      resizeTo(message);
      if (message.run) state("live", words.live);
      if (known.at >= replayed) goLive();
    }

    function goLive() {
      live = true;
      outbox.open();
    }

    function resizeTo({ cols, rows }) {
      if (cols !== terminal.cols || rows !== terminal.rows) terminal.resize(cols, rows);
      setHidden(slot(card, "terminal-shared"), cols >= mine.cols && rows >= mine.rows);
    }

    function over(message) {
      ended = message.reason;
      state("lost", says.ended);
      setHidden(againButton, !message.again);
      fail(message.reason);
      announce(message.reason);
      if (known.run && message.again) terminal.write(`\r\n\x1b[2m[${says.again}]\x1b[0m\r\n`);
    }

    function again() {
      ended = "";
      fail("");
      setHidden(againButton, true);
      state("connecting", words.connecting);
      socket.reopen();
      socket.sendJson({ type: "start" });
      terminal.focus();
    }

    terminal.onData((text) => {
      if (!live && (!holds || isReport(text))) return;
      if (live && ended) {
        if (text === "\r" && !againButton.hidden) again();
        return;
      }
      const accepted = outbox.push(encoder.encode(text));
      refused = !accepted && !live;
      if (!accepted) announce(says.tooMuch);
      if (!accepted || (live && !isReport(text))) fail(accepted ? "" : says.tooMuch);
    });
    terminal.onBinary((text) => {
      if (live && !ended) outbox.push(Uint8Array.from(text, (one) => one.charCodeAt(0)));
    });
    terminal.attachCustomKeyEventHandler((event) => {
      const role = roleOf(event, terminal.hasSelection());
      if (role === "after" || role === "before") {
        event.preventDefault();
        if (event.type === "keydown") (role === "after" ? card.querySelector("#terminal-keys") : reader).focus();
      }
      // Copying clears the selection, so the next Ctrl+C interrupts.
      if (role === "browser" && event.type === "keydown") setTimeout(() => terminal.clearSelection());
      return role === "";
    });

    let fitting = 0;
    new ResizeObserver(() => {
      clearTimeout(fitting);
      fitting = setTimeout(() => {
        const size = wanted();
        if (size.cols === mine.cols && size.rows === mine.rows) return;
        mine = size;
        socket.sendJson({ type: "resize", ...size });
      }, FIT_MS);
    }).observe(place);

    const recolour = () => {
      terminal.options.theme = themeOf(card);
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
    new MutationObserver(recolour).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

    reader.checked = terminal.options.screenReaderMode;
    reader.addEventListener("change", () => {
      terminal.options.screenReaderMode = reader.checked;
      remember("terminal-reader", reader.checked ? "on" : "off");
    });
    againButton.addEventListener("click", again);

    // Starts the shell when the host becomes ready.
    const host = slot(main, "host");
    if (host) {
      new MutationObserver(() => {
        if (host.dataset.stage === "ready" && ended && !againButton.hidden) again();
      }).observe(host, { attributes: true, attributeFilter: ["data-stage"] });
    }
    if (focus) terminal.focus();
  }

  slot(card, "terminal-close").addEventListener("click", () => {
    remember("terminal", null);
    location.reload();
  });
  openButton.addEventListener("click", () => {
    if (openButton.getAttribute("aria-disabled") !== "true") open({ focus: true });
  });
  openButton.disabled = false;
  if (recall("terminal") === card.dataset.terminal) open({ focus: false });
}
