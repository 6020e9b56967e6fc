// What the page remembers in this browser. Storage may be forbidden: then nothing is remembered.

export function recall(name) {
  try {
    return localStorage.getItem(`netmodes.${name}`);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`netmodes.${name}`);
    else localStorage.setItem(`netmodes.${name}`, value);
  } catch {
    return false;
  }
  return true;
}
