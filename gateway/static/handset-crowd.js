/* The crowd: twelve invented villagers who call one after the other, so that a commune gets a figure. */

import { find, keep, recall, write } from "./handset-page.js";
import { makeId, parse, postStep, Problem } from "./handset-wire.js";
import { say } from "./handset-words.js";

const CROWD = 12;
const PREFIXES = ["10", "12", "88", "97"];
const MENU_KEY = "8"; // printed on the list of services, and only there
const MORE_KEY = "9"; // the next page
const MOST_PRESSED = 20; // in a call
const STORED = "mati-crowd";

let latest = null; // the run that goes on, or the last one
let used = new Set(); // subscribers
const rated = {}; // services of each commune

/** Invented numbers, each once: six-digit subscribers that start with 0 are not assigned (DOMAIN.md, Phones). */
function inventNumber() {
  for (;;) {
    const subscriber = 50000 + Math.floor(Math.random() * 50000);
    if (used.has(subscriber)) continue;
    used.add(subscriber);
    keep(localStorage, STORED, JSON.stringify([...used].slice(-2000)));
    return `+855${pick(PREFIXES)}0${subscriber}`;
  }
}

function pick(values) {
  return values[Math.floor(Math.random() * values.length)];
}

/** The digits of the options printed on a screen, one a line. */
function readKeys(text) {
  return Array.from(text.matchAll(/^(\d{1,2})[ =.]/gm), (match) => match[1]);
}

/** The service that the whole crowd rates: one figure needs them all. Another one at the next time. */
function chooseService(run, text) {
  const services = readKeys(text).filter((key) => key !== "0" && key < MENU_KEY);
  const before = (rated[run.commune] ??= new Set());
  const fresh = services.filter((key) => !before.has(key));
  run.service = pick(fresh.length ? fresh : services);
  run.serviceName = text.split("\n").find((line) => line.startsWith(`${run.service} `)) ?? run.service;
  before.add(run.service);
}

/** What a villager presses at each step; `text` is the screen. */
const STEPS = [
  () => "1", // the welcome: go on
  (run) => run.number, // the commune's, as on posters
  (run, text) => {
    if (!readKeys(text).includes(MENU_KEY)) {
      throw new Problem("No rating is open in this commune. Open a round in the panel, or choose another commune.");
    }
    if (!run.service) chooseService(run, text);
    return run.service;
  },
  (run, text) => {
    const highest = Math.max(...readKeys(text).filter((key) => key < 6)); // 2 and 4 may go unprinted
    return String(1 + Math.floor(Math.random() * highest));
  },
  // who, and what may be asked beside it: one of the first four, since who is under 15 is thanked and not counted
  (run, text) => pick(readKeys(text).filter((key) => key > 0 && key < 5)),
];

/** One call from welcome to thanks. Gives the digits pressed; null for a number that called before. */
async function playVillager(run, number) {
  const call = { session: makeId(), number };
  const pressed = [];
  let screen = await postStep({ ...call, input: null, dialled: "" });
  if (readKeys(screen.text).includes(MENU_KEY)) return null;
  for (let step = 0; !screen.ends && pressed.length < MOST_PRESSED; ) {
    const printed = readKeys(screen.text);
    let key = STEPS[Math.min(step, STEPS.length - 1)](run, screen.text);
    if (step < 2 && !printed.includes(key) && printed.includes(MORE_KEY)) key = MORE_KEY;
    else step += 1;
    if (!key) break;
    pressed.push(key);
    screen = await postStep({ ...call, input: key, position: pressed.length });
    if (screen.ends && step >= STEPS.length) return pressed;
  }
  throw new Problem("A call did not come to its end. The last screen was: {text}", { text: screen.text });
}

async function runCrowd() {
  const { value: commune, selectedOptions } = find("crowd-commune");
  const run = { commune, number: selectedOptions[0].dataset.number, done: 0, running: true, problem: null };
  latest = run;
  find("crowd-log").replaceChildren();
  drawCrowd();
  try {
    while (run.running && run.done < CROWD) {
      const number = inventNumber();
      const pressed = await playVillager(run, number);
      if (!pressed) continue;
      run.done += 1;
      logCall(`${number}: ${pressed.join(" ")} ✓`);
      drawCrowd();
      await new Promise((wake) => setTimeout(wake, 150)); // so that one can see it, and stop it
    }
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    run.problem = problem;
  } finally {
    run.running = false;
    drawCrowd();
  }
}

function logCall(words) {
  const line = document.createElement("li");
  write(line, words);
  find("crowd-log").append(line);
  find("crowd-log").scrollTop = find("crowd-log").scrollHeight;
}

function stopCrowd() {
  if (latest) latest.running = false;
}

export function drawCrowd() {
  if (!find("crowd")) return; // there is one in a demonstration alone
  const run = latest;
  const running = Boolean(run?.running);
  find("crowd-progress").value = run?.done ?? 0;
  find("crowd-commune").disabled = running;
  find("crowd-start").hidden = running;
  find("crowd-stop").hidden = !running;
  find("crowd-status").className = run?.problem ? "bad" : "";
  find("crowd-status").textContent = run ? tellRun(run) : "";
  find("crowd-done").hidden = !run || running || !run.done;
  find("crowd-command").textContent = run ? `mati tally --commune ${run.commune}` : "";
}

function tellRun(run) {
  if (run.problem) return run.problem.tell();
  const values = { done: run.done, all: CROWD, service: run.serviceName };
  if (run.done === CROWD) return say("Done: {all} villagers rated “{service}”.", values);
  return say(run.running ? "{done} of {all} calls" : "Stopped after {done} of {all} calls.", values);
}

/** Escape first stops a crowd that runs, then closes. */
function leaveCrowd(event) {
  if (!latest?.running) return;
  event.preventDefault();
  stopCrowd();
}

export function beginCrowd() {
  if (!find("crowd")) return;
  const kept = parse(recall(localStorage, STORED) ?? "[]");
  used = new Set(Array.isArray(kept) ? kept : []);
  find("open-crowd").addEventListener("click", () => find("crowd").showModal());
  find("crowd-start").addEventListener("click", runCrowd);
  find("crowd-stop").addEventListener("click", stopCrowd);
  find("crowd-close").addEventListener("click", () => find("crowd").close());
  find("crowd").addEventListener("cancel", leaveCrowd);
  find("crowd").addEventListener("close", stopCrowd);
  drawCrowd();
}
