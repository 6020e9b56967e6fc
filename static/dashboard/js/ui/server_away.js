// Forms while the server does not answer: nothing is sent, what was typed stays, and the page says why. Without this the
// browser's error page would replace the page.

import { isFresh, noteLoss, serverAnswers } from "../io/contact.js";
import { renewToken } from "../io/csrf.js";
import { setHidden } from "./dom.js";

const AGAIN_MS = 2000;

export function createFormGuard() {
  const notice = document.getElementById("server-away");
  const checking = new WeakSet();
  const checked = new WeakSet();
  let timer = null;

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
    if (event.defaultPrevented || checked.delete(form) || form.getAttribute("method") === "dialog") return;
    if (isFresh() && !checking.has(form)) return;
    event.preventDefault();
    if (checking.has(form)) return;
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
  addEventListener("offline", noteLoss);
}
