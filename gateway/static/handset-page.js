/* The page: its elements by their id, and what the browser keeps of it. */

export const find = (id) => document.getElementById(id);

/** Marks a text's language, so that it gets its font and its voice. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.lang = /[\u1780-\u17ff]/.test(text) ? "km" : "en";
}

/** Browsers may forbid to store; the phone works without. */
export function keep(storage, name, value) {
  try {
    storage.setItem(name, value);
  } catch {
    // nothing is lost but the habit
  }
}

export function recall(storage, name) {
  try {
    return storage.getItem(name);
  } catch {
    return null;
  }
}
