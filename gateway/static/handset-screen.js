/* The screen: its views, what they put on the page, and the rows of the inbox. */

import { find, write } from "./handset-page.js";
import { codeToDial, countUnread, listMessages, openPhone, serviceNumber, state } from "./handset-phone.js";
import { Problem } from "./handset-wire.js";
import { say } from "./handset-words.js";

const PATIENCE_MS = 400; // before the phone says that it waits

/* What each view shows, and what its keys do. `field` is where typing goes, `rows` that up and down choose. */
const VIEWS = {
  waiting: () => ({ text: say("Please wait…"), right: ["Cancel", goHome], end: goHome }),
  failed: () => ({
    text: state.failure.problem.tell(),
    about: say("Not done."),
    left: state.failure.retry ? ["Try again", state.failure.retry] : ["OK", state.failure.leave],
    right: state.failure.retry ? ["Cancel", state.failure.leave] : null,
    end: state.failure.leave,
  }),
};

/** Views of those who stand above the screen: home, calls, messages. */
export function addViews(views) {
  Object.assign(VIEWS, views);
}

export function currentView() {
  return VIEWS[state.view]();
}

/** Turns to a view, with its beginning on the screen and its field ready for typing. */
export function show(view) {
  state.view = view;
  draw();
  find("display").scrollTop = 0;
  markMore();
  const { field, rows } = currentView();
  const active = document.activeElement;
  if (active !== document.body && !find("phone").contains(active)) return; // never takes it from beside the phone
  if (field === "draft" && !matchMedia("(pointer: fine)").matches) return; // a touch keyboard would cover the keypad
  const target = rows ? findRow() : find(field ?? "left");
  target.focus({ preventScroll: true });
}

export function goHome() {
  state.call = null;
  state.busy = false;
  find("entry").value = "";
  show("home");
}

export function fail(problem, retry, leave) {
  if (!(problem instanceof Problem)) throw problem;
  state.failure = { problem, retry, leave };
  show("failed");
}

/** Waits for a request; says so on the screen when it takes long. */
export async function beBusy(call, request) {
  state.busy = true;
  const timer = setTimeout(() => show("waiting"), PATIENCE_MS);
  const done = () => {
    clearTimeout(timer);
    if (state.call === call) state.busy = false;
  };
  return request.finally(done);
}

/** Puts the state on the page. */
export function draw() {
  const view = currentView();
  const unread = countUnread();
  find("display").parentElement.dataset.view = state.view;
  write(find("text"), view.text ?? "");
  find("hint").hidden = !view.hint;
  write(find("hint"), say("Dial {code}", { code: codeToDial }));
  find("messages").hidden = !view.rows;
  find("draft").hidden = view.field !== "draft";
  find("entry").hidden = view.field !== "entry";
  if (view.label) find("entry").setAttribute("aria-label", say(view.label));
  find("about").hidden = view.field === "entry";
  write(find("about"), view.about ?? "");
  find("erase").hidden = !view.field;
  write(find("caption"), view.caption ?? "");
  for (const side of ["left", "right"]) {
    const [label] = view[side] ?? [""];
    find(side).disabled = !label;
    write(find(side), say(label));
  }
  find("own").textContent = state.number;
  find("unread").hidden = !unread;
  write(find("unread"), say("{n} new", { n: unread }));
  write(find("notice"), state.offline && state.view !== "failed" ? state.offline.tell() : "");
  markMore();
}

/** What the arrows scroll. */
export function scrollingArea() {
  return find(state.view === "compose" ? "draft" : "display");
}

/** Shows by arrows whether there is more above or below. */
export function markMore() {
  const area = scrollingArea();
  find("above").className = area.scrollTop > 1 ? "on" : "";
  find("below").className = area.scrollTop + area.clientHeight < area.scrollHeight - 1 ? "on" : "";
}

/** The inbox as rows of two lines; the chosen row keeps the keyboard. */
export function drawMessages() {
  const rows = [makeRow("write", "", say("Write a message"), false)];
  for (const { id, text, at, mine } of listMessages()) {
    const unread = !mine && !openPhone().read.has(id);
    const who = mine ? say("Sent") : unread ? say("New") : serviceNumber;
    rows.push(makeRow(id, `${who} · ${formatTime(at)}`, text, unread));
  }
  const focused = find("messages").contains(document.activeElement);
  find("messages").replaceChildren(...rows);
  if (!findRow()) state.chosen = "write";
  choose(state.chosen, focused);
}

function makeRow(id, head, text, unread) {
  const item = document.createElement("li");
  const row = document.createElement("button");
  row.type = "button";
  row.dataset.message = id;
  row.className = unread ? "unread" : "";
  for (const [name, words] of [["head", head], ["start", text]]) {
    const line = document.createElement("span");
    line.className = name;
    write(line, words);
    if (words) row.append(line);
  }
  item.append(row);
  return item;
}

export function listRows() {
  return [...find("messages").querySelectorAll("button")];
}

export function findRow() {
  return listRows().find((row) => row.dataset.message === state.chosen);
}

export function choose(id, focus) {
  state.chosen = id;
  for (const row of listRows()) {
    row.setAttribute("aria-current", String(row.dataset.message === id));
  }
  const row = findRow();
  if (focus) row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/** 14:02 today, 12/03 14:02 on another day. */
export function formatTime(at) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "";
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (time.toDateString() === new Date().toDateString()) return clock;
  return `${two(time.getDate())}/${two(time.getMonth() + 1)} ${clock}`;
}
