/* A basic phone in the browser: where it begins, its number and lines, and which key or button does what.
 * Each file knows only files before it: page, words, lengths, wire, crowd; phone, screen, calls, sms, keys.
 */

import { CALL_VIEWS, dial, dialHint } from "./handset-calls.js";
import { beginCrowd, drawCrowd } from "./handset-crowd.js";
import {
  erase, keepFocus, pressArrow, pressCall, pressEnd, pressKey, pressKeyboard, pressSide,
} from "./handset-keys.js";
import { find, keep, recall, write } from "./handset-page.js";
import { state } from "./handset-phone.js";
import { addViews, choose, draw, drawMessages, goHome, markMore, show } from "./handset-screen.js";
import { describeUnread, openInbox, poll, readChosen, SMS_VIEWS } from "./handset-sms.js";
import { beginLanguage, say, switchLanguage } from "./handset-words.js";

const home = () => ({
  text: describeUnread(),
  hint: true,
  field: "entry",
  label: "Number to dial",
  left: ["Messages", openInbox],
  right: ["Write SMS", () => show("compose")],
  call: dial,
  end: goHome,
});

function changeNumber(number) {
  const problem = find("number-problem");
  const compact = number.replace(/[\s().-]/g, "");
  if (!/^\+?\d{8,15}$/.test(compact)) {
    write(problem, say("A phone number has 8 to 15 digits, such as +85510000001."));
    return;
  }
  write(problem, "");
  find("number").value = compact;
  if (compact === state.number) return;
  state.number = compact;
  find("draft").value = "";
  drawMessages();
  goHome();
  poll();
}

/** The number after this one: its last six digits count on. */
function nextVillager() {
  const subscriber = String((Number(state.number.slice(-6)) + 1) % 1000000).padStart(6, "0");
  changeNumber(state.number.slice(0, -6) + subscriber);
}

function changeLines(lines) {
  find("lines").value = lines;
  find("display").dataset.lines = lines;
  keep(localStorage, "mati-lines", lines);
  markMore();
}

function changeLanguage() {
  switchLanguage();
  drawMessages(); // their heads are words of the page
  draw();
  drawCrowd();
}

function listen() {
  document.addEventListener("keydown", pressKeyboard);
  document.addEventListener("visibilitychange", poll);
  find("phone").addEventListener("mousedown", keepFocus);
  const clicks = {
    language: changeLanguage,
    hint: dialHint,
    erase,
    left: () => pressSide("left"),
    right: () => pressSide("right"),
    call: pressCall,
    end: pressEnd,
    up: () => pressArrow(false),
    down: () => pressArrow(true),
    "next-villager": nextVillager,
  };
  for (const [id, action] of Object.entries(clicks)) find(id).addEventListener("click", action);
  for (const key of document.querySelectorAll("[data-key]")) {
    key.addEventListener("click", () => pressKey(key.dataset.key));
  }
  find("messages").addEventListener("click", (event) => {
    const row = event.target.closest("button");
    if (!row) return;
    choose(row.dataset.message, false);
    readChosen();
  });
  find("display").addEventListener("scroll", markMore);
  find("draft").addEventListener("scroll", markMore);
  find("draft").addEventListener("input", draw);
  find("number").addEventListener("change", (event) => changeNumber(event.target.value));
  find("lines").addEventListener("change", (event) => changeLines(event.target.value));
}

function begin() {
  addViews({ home, ...CALL_VIEWS, ...SMS_VIEWS });
  beginLanguage();
  const lines = recall(localStorage, "mati-lines");
  changeLines(["2", "4", "6", "8"].includes(lines) ? lines : find("display").dataset.lines);
  find("number").value = state.number;
  drawMessages();
  draw();
  beginCrowd();
  listen();
  find("language").hidden = false;
  find("handset").hidden = false;
  markMore();
  poll();
}

begin();
