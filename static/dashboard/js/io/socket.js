// A read-only websocket that reconnects; commands go by POST.

import { noteAnswer, noteLoss } from "./contact.js";
import { finalReason, isSilent, retryDelay } from "../core/backoff.js";

const CHECK_MS = 5000;

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
    const current = new WebSocket(address);
    socket = current;
    lastPingAt = null;
    current.addEventListener("open", () => {
      lastMessageAt = performance.now();
      if (current === socket) handlers.opened();
    });
    current.addEventListener("message", (event) => {
      if (current !== socket) return;
      lastMessageAt = performance.now();
      noteAnswer();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        resync();
        return;
      }
      if (message?.type === "ping") lastPingAt = lastMessageAt;
      if (["snapshot", "measurement", "session", "participant"].includes(message?.type)) attempt = 0;
      handlers.message(message);
    });
    current.addEventListener("close", (event) => {
      if (current !== socket || stopped) return;
      const reason = finalReason(event.code);
      if (reason) {
        stopped = true;
        handlers.ended(reason);
      } else {
        reconnectLater();
      }
    });
  }

  function reconnectLater() {
    socket = null;
    noteLoss();
    handlers.lost();
    timer = setTimeout(open, retryDelay(attempt, Math.random()));
    attempt += 1;
  }

  function resync() {
    const old = socket;
    socket = null;
    old?.close(4000);
    if (timer === null && !stopped) reconnectLater();
  }

  function reconnectNow() {
    if (timer === null || stopped) return;
    clearTimeout(timer);
    open();
  }

  addEventListener("online", reconnectNow);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") reconnectNow();
  });
  setInterval(() => {
    if (socket && isSilent(lastPingAt, lastMessageAt, performance.now())) resync();
  }, CHECK_MS);
  open();
  return {
    resync,
    stop() {
      stopped = true;
      clearTimeout(timer);
      socket?.close(1000);
    },
  };
}
