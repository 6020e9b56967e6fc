// A library that writes <style> elements and style attributes is made to keep the page's policy (style-src 'self'):
// elements become sheets that scripts make (CSSStyleSheet), attributes become properties. Both are what the policy allows
// to a script that it lets run, and nothing that comes from elsewhere gains anything by it.

function adopt(element) {
  // A type that no browser knows: the element itself styles nothing, and so asks the policy for nothing.
  element.type = "text/x-adopted";
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

function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

/** From now on, for elements that this page makes. */
export function keepStylesStrict() {
  const create = Document.prototype.createElement;
  if (Object.hasOwn(document, "createElement")) return;
  document.createElement = (name, options) => {
    const element = create.call(document, name, options);
    if (name === "style") return adopt(element);
    if (name === "span") element.setAttribute = setAttribute;
    return element;
  };
}
