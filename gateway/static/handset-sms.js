/* Messages: looked for again and again, read in the inbox, written and sent. */

import { describeDraft, describeMessage } from "./handset-lengths.js";
import { find } from "./handset-page.js";
import { countUnread, keepPhone, listMessages, openPhone, serviceNumber, state } from "./handset-phone.js";
import { beBusy, draw, drawMessages, fail, formatTime, goHome, show } from "./handset-screen.js";
import { makeId, parse, post, Problem } from "./handset-wire.js";
import { say } from "./handset-words.js";

const POLL_MS = 2000; // between two looks for messages
const MOST_REPORTED = 50; // ids at once
let newestTurn = 0; // of the polling: it ends the older ones

export const SMS_VIEWS = {
  inbox: () => ({
    text: listMessages().length ? "" : say("No messages yet."),
    rows: true,
    left: [state.chosen === "write" ? "Write" : "Read", readChosen],
    right: ["Back", goHome],
    end: goHome,
  }),
  message: () => {
    const { text, at, mine } = chosenMessage();
    const place = { number: serviceNumber, time: formatTime(at) };
    return {
      text,
      caption: describeMessage(text),
      about: say(mine ? "To {number}, {time}" : "From {number}, {time}", place),
      left: [mine ? "Write" : "Reply", () => show("compose")],
      right: ["Back", backToInbox],
      end: backToInbox,
    };
  },
  compose: () => ({
    caption: describeDraft(find("draft").value),
    about: say("To {number}", { number: serviceNumber }),
    field: "draft",
    left: ["Send", sendDraft],
    right: ["Back", openInbox],
    end: openInbox,
  }),
};

export function describeUnread() {
  const n = countUnread();
  if (n === 0) return "";
  return n === 1 ? say("1 new message.") : say("{n} new messages.", { n });
}

/** Looks for messages, again and again while the page is visible. */
export async function poll() {
  const turn = ++newestTurn;
  if (document.hidden) return;
  const phone = openPhone();
  const shown = phone.toReport.slice(0, MOST_REPORTED);
  try {
    const { messages = [] } = parse(await post("inbox", { number: phone.number, shown }));
    phone.toReport = phone.toReport.filter((id) => !shown.includes(id));
    receive(phone, messages);
    state.offline = null;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    state.offline = problem;
  }
  if (turn !== newestTurn) return;
  setTimeout(() => turn === newestTurn && poll(), POLL_MS);
  draw();
}

/** Takes what the gateway has for this number. A message keeps the time with which it came first. */
function receive(phone, messages) {
  for (const { id, at } of messages) {
    if (phone.known.has(id)) continue;
    phone.known.set(id, at);
    phone.toReport.push(id);
  }
  const before = phone.received.map(({ id }) => id).join();
  phone.received = messages.map((message) => ({ ...message, at: phone.known.get(message.id) }));
  if (before !== messages.map(({ id }) => id).join() && phone === openPhone()) drawMessages();
}

export function openInbox() {
  const newest = listMessages()[0];
  state.chosen = newest ? newest.id : "write";
  state.call = null;
  backToInbox();
}

function backToInbox() {
  drawMessages();
  show("inbox");
}

export function readChosen() {
  if (state.chosen === "write") {
    show("compose");
    return;
  }
  const phone = openPhone();
  phone.read.add(state.chosen);
  keepPhone(phone);
  drawMessages();
  show("message");
}

function chosenMessage() {
  return listMessages().find((message) => message.id === state.chosen) ?? { text: "", at: "" };
}

function sendDraft() {
  const text = find("draft").value;
  if (state.busy || !text.trim()) return;
  sendSms({ id: makeId(), text, at: new Date().toISOString(), mine: true });
}

async function sendSms(message) {
  const call = (state.call = {});
  const phone = openPhone();
  try {
    await beBusy(call, post("sms", { id: message.id, from: phone.number, to: serviceNumber, text: message.text }));
  } catch (problem) {
    if (state.call === call) fail(problem, () => sendSms(message), () => show("compose"));
    return;
  }
  phone.sent.push(message);
  keepPhone(phone);
  if (state.call !== call) return; // somewhere else by now
  find("draft").value = "";
  state.chosen = message.id;
  backToInbox();
  poll();
}
