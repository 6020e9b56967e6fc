// Values that the page keeps in this browser. Where storage is forbidden, nothing is kept.

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
