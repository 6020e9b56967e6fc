// A library that writes <style> elements and style attributes is made to keep the page's policy (style-src 'self'):
// elements become sheets that scripts make (CSSStyleSheet), attributes become properties. Both are what the policy allows
// to a script that it lets run, and nothing that comes from elsewhere gains anything by it.

/** Stands where a <style> would; what is written into it goes into a sheet. A <style> asks the policy even while it is empty. */
function adopted(element) {
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

/** From now on, on this page. */
export function keepStylesStrict() {
  if (Object.hasOwn(document, "createElement")) return;
  const { createElement } = Document.prototype;
  const { setAttribute } = Element.prototype;
  document.createElement = (name, options) =>
    name === "style" ? adopted(createElement.call(document, "template")) : createElement.call(document, name, options);
  HTMLElement.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}
