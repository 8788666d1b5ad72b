/* The keys of the phone, pressed by mouse, finger or keyboard. */

import { find } from "./handset-page.js";
import { choose, currentView, draw, findRow, listRows, markMore, scrollingArea } from "./handset-screen.js";

export function pressCall() {
  const { call, left } = currentView();
  (call ?? left?.[1])?.();
}

export function pressEnd() {
  currentView().end();
}

export function pressSide(side) {
  currentView()[side]?.[1]();
}

/** Scrolls by a line, or chooses the next message. Gives whether there was one. */
export function pressArrow(down) {
  if (currentView().rows) {
    const rows = listRows();
    const next = rows[rows.indexOf(findRow()) + (down ? 1 : -1)];
    if (next) choose(next.dataset.message, true);
    draw();
    return Boolean(next);
  }
  const area = scrollingArea();
  const before = area.scrollTop;
  const line = parseFloat(getComputedStyle(find("text")).lineHeight);
  area.scrollTop = (Math.round(before / line) + (down ? 1 : -1)) * line;
  markMore();
  return area.scrollTop !== before;
}

/** Where typing goes, if anywhere. */
function findField() {
  return find(currentView().field ?? "");
}

export function pressKey(key) {
  const field = findField();
  if (!field) return;
  field.setRangeText(key, field.selectionStart, field.selectionEnd, "end");
  draw();
}

export function erase() {
  const field = findField();
  if (!field) return;
  const [start, end] = [field.selectionStart, field.selectionEnd];
  const before = [...field.value.slice(0, start)];
  if (start === end) before.pop(); // a whole character, never half of a pair
  field.setRangeText("", before.join("").length, end, "end");
  draw();
}

/** The keyboard works wherever the focus is, except where it belongs to a field or a button. */
export function pressKeyboard(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const typing = target.id === "entry" || target.id === "draft";
  if (document.querySelector("dialog[open]") || (!typing && target.matches("input, select"))) return;
  if (/^[0-9*#]$/.test(key)) {
    flash(key);
    if (typing) return;
    pressKey(key);
  } else if (key === "Enter") {
    if (target.closest("button, a") || (target.id === "draft" && event.shiftKey)) return;
    pressCall();
  } else if (key === "Escape") {
    pressEnd();
  } else if (key === "ArrowUp" || key === "ArrowDown") {
    if (target.id === "draft") return;
    if (!pressArrow(key === "ArrowDown")) return; // then the page may scroll
  } else if (key === "Backspace" && !typing) {
    erase();
  } else {
    return;
  }
  event.preventDefault();
}

/** A key pressed by mouse or finger leaves the focus where one types; a field beside the phone is done with. */
export function keepFocus(event) {
  if (!event.target.closest(".keys, #erase")) return;
  event.preventDefault();
  if (!find("phone").contains(document.activeElement)) document.activeElement.blur();
}

/** Shows on the keypad which key was pressed on the keyboard. */
function flash(key) {
  const button = document.querySelector(`[data-key="${key}"]`);
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 120);
}
