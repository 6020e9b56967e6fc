// The CSRF token of forms. Signing in replaces the token of the browser, and the forms of other open pages keep the old one.

/** Enters the browser's present token in a form that has one. Behind TLS its cookie has a prefix (web/http/proxies.py). */
export function renewToken(form) {
  const cookies = new Map(document.cookie.split("; ").map((cookie) => cookie.split("=")));
  const token = cookies.get("__Host-csrftoken") ?? cookies.get("csrftoken");
  const field = form.querySelector('[name="csrfmiddlewaretoken"]');
  if (field && token) field.value = token;
}
