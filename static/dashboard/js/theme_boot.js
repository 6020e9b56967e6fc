// Runs before the first paint, so that the theme does not flash. Everything else is in main.js.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("netmodes.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage may be forbidden: then the theme follows the system.
  }
})();
