// Frames of a terminal's websocket, its input queue, and its keys. No page, no clock.

export const TYPED_BYTES = 4096;
export const WINDOW_BYTES = 16 * 1024;
export const PASTE_BYTES = 64 * 1024;
const INTERRUPT = 3;
const OFFSET_BYTES = 8;

/** Parses a frame of output: the offset of its bytes, and the bytes. */
export function readOutput(buffer) {
  const view = new DataView(buffer);
  return { offset: Number(view.getBigUint64(0)), data: new Uint8Array(buffer, OFFSET_BYTES) };
}

/** Splits bytes into pieces that fit into one message. */
export function split(bytes, most = TYPED_BYTES) {
  const found = [];
  for (let at = 0; at < bytes.length; at += most) found.push(bytes.subarray(at, at + most));
  return found;
}

/**
 * The queue of input. It sends nothing before `open` is called, and at most WINDOW_BYTES before the shell acknowledges them;
 * the rest waits. Ctrl-C drops what waits. `send(bytes)` sends one message.
 */
export function createOutbox(send) {
  let waiting = [];
  let sent = 0;
  let taken = 0;
  let isOpen = false;

  function pass(bytes) {
    sent += bytes.length;
    send(bytes);
  }

  function flow() {
    while (isOpen && waiting.length > 0 && sent - taken < WINDOW_BYTES) pass(waiting.shift());
  }

  return {
    /** Queues input; returns false, without queueing any of it, if it is too much. */
    push(bytes) {
      if (bytes.length === 1 && bytes[0] === INTERRUPT) {
        waiting = [];
        if (isOpen) {
          pass(bytes);
          return true;
        }
      }
      if (bytes.length + waiting.reduce((sum, one) => sum + one.length, 0) > PASTE_BYTES) return false;
      waiting.push(...split(bytes));
      flow();
      return true;
    },
    took(total) {
      taken = total;
      flow();
    },
    open() {
      isOpen = true;
      flow();
    },
    /** Sends nothing until `open` is called again. */
    hold() {
      isOpen = false;
    },
    /** Clears the queue for a new connection: what was sent may be lost, and the rest was meant for the old one. */
    reset() {
      waiting = [];
      sent = 0;
      taken = 0;
      isOpen = false;
    },
  };
}

/**
 * The role of a key: "after" and "before" leave the terminal (F6, Shift+F6), "browser" is handled by the browser (Ctrl+V
 * pastes; Ctrl+C copies a selection), "" goes to the shell.
 */
export function roleOf(event, isMarked) {
  const plain = !event.altKey && !event.metaKey;
  if (event.key === "F6" && plain && !event.ctrlKey) return event.shiftKey ? "before" : "after";
  const key = (event.key ?? "").toLowerCase();
  if (plain && event.ctrlKey && !event.shiftKey && (key === "v" || (key === "c" && isMarked))) return "browser";
  return "";
}

/** Whether this is a report that the terminal sends by itself (cursor, colours, size), and not typed input. */
export function isReport(text) {
  return /^\x1b(?:\[[?>=]?[\d;]*(?:[Rcnxty]|\$y)|\[[IO]|[P\]])/.test(text);
}

/** Whether the output from `start` continues what the window has of the shell `run`; otherwise the screen is reset. */
export function goesOn(known, hello) {
  return known.run === hello.run && known.at === hello.start;
}

/** The URL of the websocket with the state of this window. */
export function addressOf(path, known, size) {
  const asked = new URLSearchParams({ cols: size.cols, rows: size.rows, step: known.step });
  if (known.run) {
    asked.set("run", known.run);
    asked.set("from", known.at);
  }
  return `${path}?${asked}`;
}
