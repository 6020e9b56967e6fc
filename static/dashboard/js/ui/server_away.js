// Forms while the server does not answer: nothing is sent, what was typed stays, and the page says why. Without this the
// browser's error page would replace the page. A command that was just sent is not sent again, as by a double click.

import { isFresh, noteLoss, serverAnswers } from "../io/contact.js";
import { renewToken } from "../io/csrf.js";
import { setHidden } from "./dom.js";

const AGAIN_MS = 2000;
const SENT_MS = 3000;

export function createFormGuard() {
  const notice = document.getElementById("server-away");
  const checking = new WeakSet();
  const checked = new WeakSet();
  let sent = new WeakMap(); // form -> when the browser sent it
  let timer = null;

  function wasSent(form) {
    return form.getAttribute("method") === "post" && performance.now() - sent.get(form) < SENT_MS;
  }

  async function hideWhenBack() {
    timer = null;
    if (await serverAnswers()) setHidden(notice, true);
    else timer = setTimeout(hideWhenBack, AGAIN_MS);
  }

  function show() {
    // Hidden first, so that a second attempt is announced too.
    setHidden(notice, true);
    requestAnimationFrame(() => setHidden(notice, false));
    timer ??= setTimeout(hideWhenBack, AGAIN_MS);
  }

  // In the bubbling phase of the document: forms that scripts send have prevented the event before.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") === "dialog") return;
    const repeated = checking.has(form) || wasSent(form);
    if (!repeated && (checked.has(form) || isFresh())) {
      sent.set(form, performance.now());
      return;
    }
    event.preventDefault();
    if (repeated) return;
    checking.add(form);
    const { submitter } = event;
    const answers = await serverAnswers();
    checking.delete(form);
    if (!answers) {
      show();
      return;
    }
    checked.add(form);
    form.requestSubmit(submitter);
    checked.delete(form); // the browser may have refused an invalid field
  });
  addEventListener("submit", (event) => renewToken(event.target), { capture: true });
  // Back in the history: the page shows the form again.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) sent = new WeakMap();
  });
  addEventListener("offline", noteLoss);
}
