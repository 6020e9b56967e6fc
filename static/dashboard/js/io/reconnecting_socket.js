// A websocket that reconnects: some time after a loss, and at once when the browser is online or the page is visible again.

import { finalReason, retryDelay } from "../core/backoff.js";

const ASK_MS = 5000;
const REFUSALS = [401, 403, 404];

/** Asks whether this page still has access, because a browser does not tell why a handshake was refused. Resolves to the
 *  reason if it has none, else to null. Most pages answer HEAD with 405, which does no work. */
async function refusalOfPage() {
  try {
    const { status } = await fetch(location.pathname, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(ASK_MS) });
    return REFUSALS.includes(status) ? finalReason(4000 + status) : null;
  } catch {
    return null;
  }
}

/** Calls `path()` at each attempt. handlers: opened(), message(data), lost(), ended(reason).
 *  Returns {send, resync, reopen, stop}. */
export function keepConnected(path, handlers) {
  const front = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`;
  let socket = null;
  let timer = null;
  let attempt = 0;
  let stopped = false;

  function open() {
    timer = null;
    const current = new WebSocket(front + path());
    let opened = false;
    current.binaryType = "arraybuffer";
    socket = current;
    current.addEventListener("open", () => {
      if (current !== socket) return;
      opened = true;
      handlers.opened();
    });
    current.addEventListener("message", (event) => {
      if (current !== socket) return;
      attempt = 0;
      handlers.message(event.data);
    });
    current.addEventListener("close", async (event) => {
      if (current !== socket) return;
      socket = null;
      let reason = finalReason(event.code);
      if (reason === null) {
        handlers.lost();
        if (!opened) reason = await refusalOfPage();
        if (socket !== null || stopped) return;
      }
      if (reason === null) openLater();
      else handlers.ended(reason);
    });
  }

  function openLater() {
    timer = setTimeout(open, retryDelay(attempt, Math.random()));
    attempt += 1;
  }

  function openNow() {
    if (timer === null) return;
    clearTimeout(timer);
    open();
  }

  function close(code) {
    const old = socket;
    socket = null;
    old?.close(code);
  }

  addEventListener("online", openNow);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && openNow());
  open();
  return {
    send(data) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(data);
    },
    /** Closes a connection and opens another one later. */
    resync() {
      if (socket === null) return;
      close(4000);
      handlers.lost();
      openLater();
    },
    /** Reconnects after a final close. */
    reopen() {
      if (socket === null && timer === null) open();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      timer = null;
      close(1000);
    },
  };
}
