// Sets the theme and the view that the hash names before the first paint, so that the page does not flash.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  const view = /^#(table|try|inspect|trace|measure|replay|report)(?![^&])/.exec(location.hash);
  root.dataset.view = view === null ? "answer" : view[1];
  try {
    const theme = localStorage.getItem("netmodes.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Without storage the theme follows the system.
  }
})();
