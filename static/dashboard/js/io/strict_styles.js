// Makes a library that writes <style> elements and style attributes comply with the page's policy (style-src 'self'):
// elements become constructed style sheets, attributes become properties. The policy allows both to scripts that it lets
// run; content from elsewhere gains nothing.

/** A replacement for <style>: its text becomes a constructed sheet. The policy applies even to an empty <style>. */
function withSheet(element) {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  let text = "";
  Object.defineProperty(element, "textContent", {
    get: () => text,
    set(css) {
      text = css;
      sheet.replaceSync(css);
    },
  });
  return element;
}

/** Applies to this page from now on. */
export function keepStylesStrict() {
  if (Object.hasOwn(document, "createElement")) return;
  const { createElement } = Document.prototype;
  const { setAttribute } = Element.prototype;
  document.createElement = (name, options) =>
    name === "style" ? withSheet(createElement.call(document, "template")) : createElement.call(document, name, options);
  HTMLElement.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}
