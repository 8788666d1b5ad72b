/* What the phone is and holds: its number, what it is doing, and the messages of each number it has had. */

import { keep, recall } from "./handset-page.js";
import { parse } from "./handset-wire.js";

export const codeToDial = document.body.dataset.ussdCode;
export const serviceNumber = document.body.dataset.smsNumber;

/** Everything that changes; `draw` (handset-screen.js) puts it on the page. */
export const state = {
  number: "+85510000001",
  view: "home",
  call: null, // {session, position, text}: the USSD session
  busy: false, // a request of this phone is on its way
  failure: null, // {problem, retry, leave}
  offline: null, // why the last look for messages failed
  chosen: "write", // the row of the inbox: "write", or a message's id
};

const phones = new Map(); // what each number has sent, received and read

/** What this number's phone holds. Sent and read ones outlive a reload, not the tab. */
export function openPhone() {
  if (!phones.has(state.number)) {
    const kept = parse(recall(sessionStorage, `mati-${state.number}`) ?? "{}");
    phones.set(state.number, {
      number: state.number,
      received: [],
      sent: kept.sent ?? [],
      read: new Set(kept.read),
      known: new Map(), // when each message came first
      toReport: [], // ids of which the gateway is yet to hear that they came
    });
  }
  return phones.get(state.number);
}

export function keepPhone({ number, sent, read }) {
  keep(sessionStorage, `mati-${number}`, JSON.stringify({ sent: sent.slice(-50), read: [...read].slice(-100) }));
}

export function listMessages() {
  const { received, sent } = openPhone();
  return [...received, ...sent].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).reverse();
}

export function countUnread() {
  const { received, read } = openPhone();
  return received.filter((message) => !read.has(message.id)).length;
}
