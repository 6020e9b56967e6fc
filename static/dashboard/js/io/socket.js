// A websocket that comes back. It only reads; everything asked for goes by POST.

import { finalReason, isSilent, retryDelay } from "../core/backoff.js";

const WATCH_MS = 5000;

/** handlers: opened(), message(object), lost(), ended(reason). Returns {resync, stop}. */
export function connect(path, handlers) {
  const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;
  let socket = null;
  let timer = null;
  let attempt = 0;
  let stopped = false;
  let lastMessageAt = 0;
  let lastPingAt = null;

  function open() {
    timer = null;
    const mine = new WebSocket(address);
    socket = mine;
    lastPingAt = null;
    mine.addEventListener("open", () => {
      lastMessageAt = performance.now();
      if (mine === socket) handlers.opened();
    });
    mine.addEventListener("message", (event) => {
      if (mine !== socket) return;
      lastMessageAt = performance.now();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        again();
        return;
      }
      if (message?.type === "ping") lastPingAt = lastMessageAt;
      if (["snapshot", "measurement", "session", "participant"].includes(message?.type)) attempt = 0;
      handlers.message(message);
    });
    mine.addEventListener("close", (event) => {
      if (mine !== socket || stopped) return;
      const reason = finalReason(event.code);
      if (reason) {
        stopped = true;
        handlers.ended(reason);
      } else {
        later();
      }
    });
  }

  function later() {
    socket = null;
    handlers.lost();
    timer = setTimeout(open, retryDelay(attempt, Math.random()));
    attempt += 1;
  }

  function again() {
    const old = socket;
    socket = null;
    old?.close(4000);
    if (timer === null && !stopped) later();
  }

  function now() {
    if (timer === null || stopped) return;
    clearTimeout(timer);
    open();
  }

  addEventListener("online", now);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") now();
  });
  setInterval(() => {
    if (socket && isSilent(lastPingAt, lastMessageAt, performance.now())) again();
  }, WATCH_MS);
  open();
  return {
    resync: again,
    stop() {
      stopped = true;
      clearTimeout(timer);
      socket?.close(1000);
    },
  };
}
