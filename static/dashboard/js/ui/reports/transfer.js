// Exports and imports show what is being done and can be cancelled. Without this module they are a link and a form.

import { fill, formatSize } from "../../core/format.js";
import { Refused } from "../../io/http.js";
import { download, upload } from "../../io/transfer.js";
import { announce, isPlainClick, setHidden, setText, slot } from "../dom.js";

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

/** The element that shows one transfer at a time. `run` calls `work` with a signal and a function that shows how far it
 * is, and resolves to its result; to null if it was cancelled or has failed. */
function createTransfer(element) {
  const bar = element.querySelector("progress");
  const cancel = element.querySelector("[data-transfer-cancel]");
  let running = null;

  function show(text, done, total) {
    setText(slot(element, "transfer-text"), text);
    if (!done && !total) announce(text);
    setHidden(bar, done === null);
    if (total) bar.value = done / total;
    else bar.removeAttribute("value");
  }

  cancel.addEventListener("click", () => running?.abort());
  return {
    show,
    element,
    async run(work, failed) {
      running?.abort();
      const own = new AbortController();
      running = own;
      setHidden(element, false);
      setHidden(cancel, false);
      try {
        return await work(own.signal);
      } catch (error) {
        if (running === own) {
          const text = own.signal.aborted ? element.dataset.cancelled : error instanceof Refused ? error.message : element.dataset.failed;
          show(text, null);
          if (!own.signal.aborted) failed?.(text);
        }
        return null;
      } finally {
        if (running === own) {
          running = null;
          setHidden(cancel, true);
        }
      }
    },
  };
}

function save(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function createExports(links, transfer) {
  const { preparing, receiving, receivingPart, received } = transfer.element.dataset;
  links.addEventListener("click", async (event) => {
    const link = event.target.closest("a[download]");
    if (link === null || !isPlainClick(event)) return;
    event.preventDefault();
    const name = link.textContent.trim();
    transfer.show(fill(preparing, { name }), 0, 0);
    const file = await transfer.run((signal) =>
      download(link.href, signal, (done, total) => {
        const text = total ? receivingPart : receiving;
        transfer.show(fill(text, { name, done: megabytes(done), total: megabytes(total) }), done, total);
      }),
    );
    if (file === null) return;
    save(file.name, file.content);
    transfer.show(fill(received, { name: file.name, size: formatSize(file.content.size) }), null);
  });
}

function createImport(form, transfer) {
  const { sending, checking } = transfer.element.dataset;
  const problem = form.querySelector("#file-problem");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setHidden(problem, true);
    const [{ name, size } = { name: "", size: 0 }] = form.elements.file.files;
    transfer.show(fill(sending, { name, done: megabytes(0), total: megabytes(size) }), 0, 0);
    const result = await transfer.run(
      (signal) =>
        upload(form, signal, (done, total) => {
          if (done < total) transfer.show(fill(sending, { name, done: megabytes(done), total: megabytes(total) }), done, total);
          else transfer.show(fill(checking, { name }), 0, 0);
        }),
      (text) => {
        setHidden(transfer.element, true);
        setText(problem, text);
        setHidden(problem, false);
        form.elements.file.setAttribute("aria-invalid", "true");
      },
    );
    if (result !== null) location.assign(result.url);
  });
}

export function createTransfers(main) {
  const links = main.querySelector("[data-exports]");
  if (links !== null) createExports(links, createTransfer(main.querySelector("[data-transfer]")));
  const form = main.querySelector("form[data-import]");
  if (form !== null) createImport(form, createTransfer(form.querySelector("[data-transfer]")));
}
