"use strict";
/* A basic phone in the browser. It speaks to the gateway's simulator (CONTRACT.md, Webhooks) and to nothing else:
 *   POST /hooks/simulator/ussd   {session, number, input, dialled | position} -> {text, ends}
 *   POST /hooks/simulator/sms    {id, from, to, text}
 *   POST /hooks/simulator/inbox  {number, shown} -> {messages: [{id, text, at}]}
 * Everything that changes is in `state`; `draw` puts it on the page. Lengths are septets of GSM-7 or UTF-16 units.
 */

const WAIT_MS = 15000; // for an answer of the gateway
const POLL_MS = 2000; // between two looks for messages
const MOST_REPORTED = 50; // ids at once
const PATIENCE_MS = 400; // before the phone says that it waits
const FIRST_NUMBER = "+85510000001";
const USSD_ROOM = { gsm: 182, unicode: 80 }; // 160 octets (3GPP TS 23.038, 6.1.2.3)
const SMS_ROOM = { gsm: { one: 160, part: 153 }, unicode: { one: 70, part: 67 } }; // 3GPP TS 23.040, 9.2.3.24.1

const find = (id) => document.getElementById(id);
const codeToDial = document.body.dataset.ussdCode;
const serviceNumber = document.body.dataset.smsNumber;

const state = {
  language: "en",
  number: FIRST_NUMBER,
  view: "home",
  call: null, // {session, position, text}: the USSD session
  busy: false, // a request of this phone is on its way
  failure: null, // {problem, retry, leave}
  offline: null, // why the last look for messages failed
  lastDialled: "",
  phones: new Map(), // what each number has sent, received and read
  chosen: "write", // the row of the inbox: "write", or a message's id
  turn: 0, // of the polling: a newer turn ends the older one
  crowd: { run: null, used: new Set(), rated: {} },
};

// words -------------------------------------------------------------------------------------------

/* English is in the code, as in the catalogues of the menus. Khmer is to be checked by a native speaker. */
const KHMER = {
  "A basic phone - Mati": "ទូរស័ព្ទធម្មតា - មតិ",
  "A basic phone": "ទូរស័ព្ទធម្មតា",
  "A phone as villagers have, connected to this gateway alone. No phone company is involved and nothing costs anything.":
    "ទូរស័ព្ទដូចអ្នកភូមិមាន ភ្ជាប់តែជាមួយប្រព័ន្ធនេះ។ មិនឆ្លងកាត់ក្រុមហ៊ុនទូរស័ព្ទ និងមិនអស់ប្រាក់ទេ។",
  "Number of this phone": "លេខទូរស័ព្ទនេះ",
  "Next villager": "អ្នកភូមិបន្ទាប់",
  "Lines on its screen": "ចំនួនបន្ទាត់លើអេក្រង់",
  "A figure is shown once enough different phones stand behind it.": "តួលេខបង្ហាញតែពេលមានទូរស័ព្ទគ្រប់ចំនួន។",
  "Keyboard: digits, * and #; Enter calls and sends, Escape ends and goes back, arrows scroll.":
    "ក្តារចុច៖ លេខ * និង #។ Enter ហៅ ឬផ្ញើ, Escape បញ្ចប់ ឬថយ, ព្រួញមើលលើក្រោម។",
  Phone: "ទូរស័ព្ទ",
  Screen: "អេក្រង់",
  Keypad: "ក្តារលេខ",
  star: "ផ្កាយ",
  hash: "ទ្រុង",
  Up: "ឡើងលើ",
  Down: "ចុះក្រោម",
  "Call or send": "ហៅ ឬផ្ញើ",
  "End or back": "បញ្ចប់ ឬថយ",
  "Delete the last character": "លុបតួចុងក្រោយ",
  "Number to dial": "លេខត្រូវហៅ",
  "Your answer": "ចម្លើយអ្នក",
  "Your message": "សារអ្នក",
  "Messages, newest first": "សារ ថ្មីមុន",
  "Dial {code}": "ហៅ {code}",
  Messages: "សារ",
  "Write SMS": "សរសេរសារ",
  "Write a message": "សរសេរសារ",
  "To {number}": "ជូន {number}",
  "From {number}, {time}": "ពី {number}, {time}",
  "To {number}, {time}": "ជូន {number}, {time}",
  New: "ថ្មី",
  Sent: "បានផ្ញើ",
  "{n} new": "សារថ្មី {n}",
  "1 new message.": "មានសារថ្មី 1។",
  "{n} new messages.": "មានសារថ្មី {n}។",
  "No messages yet.": "មិនទាន់មានសារទេ។",
  Read: "អាន",
  Write: "សរសេរ",
  Reply: "ឆ្លើយ",
  Back: "ថយ",
  Send: "ផ្ញើ",
  Cancel: "បោះបង់",
  OK: "យល់ព្រម",
  "Try again": "សាកម្តងទៀត",
  "Please wait…": "សូមរង់ចាំ…",
  "The session is over.": "ការហៅបានចប់។",
  "Not done.": "មិនបានសម្រេច។",
  "{n} of {room} characters (GSM-7)": "{n}/{room} តួអក្សរ (GSM-7)",
  "{n} of {room} (Unicode)": "{n}/{room} (Unicode)",
  "{n} characters in {parts} parts (GSM-7)": "{n} តួអក្សរ ក្នុង {parts} សារ (GSM-7)",
  "{n} in {parts} parts (Unicode)": "{n} ក្នុង {parts} សារ (Unicode)",
  "{left} left, 1 part ({alphabet})": "នៅសល់ {left}, 1 សារ ({alphabet})",
  "{left} left, {parts} parts ({alphabet})": "នៅសល់ {left}, {parts} សារ ({alphabet})",
  "This phone reaches {code} only. Dial {code}, or {code} with a path such as {example}.":
    "ទូរស័ព្ទនេះហៅបានតែ {code}។ សូមចុច {code} ឬ {example}។",
  "A phone number has 8 to 15 digits, such as +85510000001.": "លេខទូរស័ព្ទមាន 8 ដល់ 15 លេខ ដូចជា +85510000001។",
  "The gateway does not answer. Start it with “mati up”, then try again.":
    "ប្រព័ន្ធមិនឆ្លើយទេ។ សូមបើកវាដោយ “mati up” ហើយសាកម្តងទៀត។",
  "This phone works on the gateway's own machine, or after a login. Log in at /admin/, then try again.":
    "ប្រព័ន្ធទទួលទូរស័ព្ទនេះតែលើម៉ាស៊ីនរបស់វា ឬក្រោយចូលគណនី។ សូមចូលនៅ /admin/ ហើយសាកម្តងទៀត។",
  "This gateway has no simulator. Add simulator to PROVIDERS and start the gateway again.":
    "ប្រព័ន្ធនេះគ្មាន simulator ទេ។ សូមដាក់ simulator ក្នុង PROVIDERS ហើយបើកប្រព័ន្ធម្តងទៀត។",
  "Too many requests. Wait a minute, then try again.": "ស្នើច្រើនពេក។ សូមរង់ចាំមួយនាទី ហើយសាកម្តងទៀត។",
  "The gateway cannot answer just now. Try again in a moment.": "ប្រព័ន្ធមិនអាចឆ្លើយឥឡូវទេ។ សូមសាកម្តងទៀតបន្តិចទៀត។",
  "The gateway did not accept this ({status}). Load this page again, then try again. {reason}":
    "ប្រព័ន្ធមិនទទួលទេ ({status})។ សូមបើកទំព័រនេះឡើងវិញ ហើយសាកម្តងទៀត។ {reason}",
  "A phone cannot read this answer. Check that this page comes from the gateway itself.":
    "ចម្លើយនេះទូរស័ព្ទអានមិនបានទេ។ សូមពិនិត្យថាទំព័រនេះមកពីប្រព័ន្ធផ្ទាល់។",
  "Let 12 villagers rate": "ឲ្យអ្នកភូមិ 12 នាក់វាយតម្លៃ",
  "Twelve invented numbers dial one after the other and rate the same service of one commune, so that its figure can be shown.":
    "លេខសាកល្បង 12 ហៅបន្តបន្ទាប់ ហើយវាយតម្លៃសេវាតែមួយ ក្នុងឃុំមួយ ដើម្បីឲ្យតួលេខអាចបង្ហាញបាន។",
  Commune: "ឃុំ",
  "Calls made": "ចំនួនការហៅ",
  Start: "ចាប់ផ្តើម",
  Stop: "ឈប់",
  Close: "បិទ",
  "{done} of {all} calls": "ការហៅ {done}/{all}",
  "Done: {all} villagers rated “{service}”.": "រួចហើយ៖ អ្នកភូមិ {all} នាក់បានវាយតម្លៃ “{service}”។",
  "Stopped after {done} of {all} calls.": "បានឈប់ ក្រោយការហៅ {done}/{all}។",
  "The figures are in the panel:": "តួលេខនៅក្នុងផ្ទាំងគ្រប់គ្រង៖",
  "or in the terminal:": "ឬក្នុងទែមីណល៖",
  "No rating is open in this commune. Open a round in the panel, or choose another commune.":
    "ក្នុងឃុំនេះ គ្មានការវាយតម្លៃបើកទេ។ សូមបើកជុំក្នុងផ្ទាំងគ្រប់គ្រង ឬជ្រើសឃុំផ្សេង។",
  "A call did not come to its end. The last screen was: {text}": "ការហៅមួយមិនបានចប់។ អេក្រង់ចុងក្រោយ៖ {text}",
};

/** A sentence in the language of the page, with values for its {placeholders}. */
function say(sentence, values = {}) {
  const words = (state.language === "km" && KHMER[sentence]) || sentence;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** What went wrong, as a sentence that says what to do. */
class Problem extends Error {
  constructor(sentence, values) {
    super(sentence);
    this.values = values;
  }

  tell() {
    return say(this.message, this.values);
  }
}

/** Puts the page's fixed words into the language. */
function translate() {
  document.documentElement.lang = state.language;
  for (const element of document.querySelectorAll("[data-say]")) {
    element.dataset.say ||= element.textContent;
    element.textContent = say(element.dataset.say);
  }
  for (const element of document.querySelectorAll("[data-say-label]")) {
    element.setAttribute("aria-label", say(element.dataset.sayLabel));
  }
  const other = state.language === "km" ? "en" : "km";
  find("language").lang = other;
  find("language").textContent = { en: "English", km: "ខ្មែរ" }[other];
}

function switchLanguage() {
  state.language = state.language === "km" ? "en" : "km";
  keep(localStorage, "mati-language", state.language);
  translate();
  drawMessages(); // their heads are words of the page
  draw();
  drawCrowd();
}

/** Marks a text's language, so that it gets its font and its voice. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.lang = /[\u1780-\u17ff]/.test(text) ? "km" : "en";
}

// lengths -----------------------------------------------------------------------------------------

// 3GPP TS 23.038, 6.2.1 and 6.2.1.1: a character of the second set is sent as an escape and a character.
const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const EXTENSION = new Set("\f^{}\\[~]|€");

/** Length and parts of a text as an SMS, and what is left of its last part. Pairs never straddle two parts. */
function countSms(text) {
  const characters = [...text];
  const gsm = characters.every((character) => BASIC.has(character) || EXTENSION.has(character));
  const costs = characters.map((character) => (gsm ? 1 + EXTENSION.has(character) : character.length));
  const length = costs.reduce((sum, cost) => sum + cost, 0);
  const room = SMS_ROOM[gsm ? "gsm" : "unicode"];
  if (length <= room.one) return { gsm, length, parts: 1, left: room.one - length };
  let [parts, used] = [1, 0];
  for (const cost of costs) {
    if (used + cost > room.part) [parts, used] = [parts + 1, 0];
    used += cost;
  }
  return { gsm, length, parts, left: room.part - used };
}

/** The small line under a USSD screen. */
function describeScreen(text) {
  const { gsm, length } = countSms(text);
  if (gsm) return say("{n} of {room} characters (GSM-7)", { n: length, room: USSD_ROOM.gsm });
  return say("{n} of {room} (Unicode)", { n: length, room: USSD_ROOM.unicode });
}

/** The small line under an SMS. */
function describeMessage(text) {
  const { gsm, length, parts } = countSms(text);
  const values = { n: length, parts, room: SMS_ROOM[gsm ? "gsm" : "unicode"].one };
  if (parts > 1) return say(gsm ? "{n} characters in {parts} parts (GSM-7)" : "{n} in {parts} parts (Unicode)", values);
  return say(gsm ? "{n} of {room} characters (GSM-7)" : "{n} of {room} (Unicode)", values);
}

/** The small line under an SMS that is being written. */
function describeDraft(text) {
  const { gsm, parts, left } = countSms(text);
  const sentence = parts === 1 ? "{left} left, 1 part ({alphabet})" : "{left} left, {parts} parts ({alphabet})";
  return say(sentence, { left, parts, alphabet: gsm ? "GSM-7" : "Unicode" });
}

// the wire ----------------------------------------------------------------------------------------

/** Posts to the simulator and gives its answer's text. Throws a Problem. */
async function post(event, fields) {
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), WAIT_MS);
  let answer, body;
  try {
    answer = await fetch(`/hooks/simulator/${event}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
      signal: waiting.signal,
    });
    body = await answer.text();
  } catch {
    throw new Problem("The gateway does not answer. Start it with “mati up”, then try again.");
  } finally {
    clearTimeout(timer);
  }
  if (answer.ok) return body;
  throw explain(answer.status, body);
}

/** The Problem behind an HTTP status. */
function explain(status, body) {
  const known = {
    403: "This phone works on the gateway's own machine, or after a login. Log in at /admin/, then try again.",
    404: "This gateway has no simulator. Add simulator to PROVIDERS and start the gateway again.",
    429: "Too many requests. Wait a minute, then try again.",
  };
  if (known[status]) return new Problem(known[status]);
  if (status >= 500) return new Problem("The gateway cannot answer just now. Try again in a moment.");
  const reason = body.trimStart().startsWith("<") ? "" : body.trim().slice(0, 120);
  return new Problem(
    "The gateway did not accept this ({status}). Load this page again, then try again. {reason}",
    { status, reason },
  );
}

/** Posts a step of a USSD session; gives {text, ends}. Throws a Problem. */
async function postStep(fields) {
  const screen = parse(await post("ussd", fields));
  if (typeof screen.text === "string") return screen;
  throw new Problem("A phone cannot read this answer. Check that this page comes from the gateway itself.");
}

function parse(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

function makeId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// calls -------------------------------------------------------------------------------------------

/** The path behind the code: "2*5" of *855*2*5#, "" of *855#; null of anything else. */
function readPath(dialled) {
  const digits = dialled.replace(/[០-៩]/g, (digit) => digit.charCodeAt(0) - 0x17e0).replace(/\s/g, "");
  const code = codeToDial.replace(/#$/, "");
  const match = digits.replace(/#$/, "");
  if (match === code) return "";
  return match.startsWith(`${code}*`) ? match.slice(code.length + 1).replace(/\*+$/, "") : null;
}

function dial() {
  const dialled = find("entry").value.trim();
  if (!dialled) {
    find("entry").value = state.lastDialled || codeToDial;
    return;
  }
  state.lastDialled = dialled;
  const path = readPath(dialled);
  if (path === null) {
    const example = codeToDial.replace(/#$/, "*2*5#");
    const sentence = "This phone reaches {code} only. Dial {code}, or {code} with a path such as {example}.";
    fail(new Problem(sentence, { code: codeToDial, example }), null, goHome);
    return;
  }
  state.call = { session: makeId(), position: path ? path.split("*").length : 0, text: "" };
  ask({ input: null, dialled: path });
}

function dialHint() {
  find("entry").value = codeToDial;
  dial();
}

function answer() {
  const input = find("entry").value;
  if (state.busy || !input.trim()) return;
  state.call.position += 1;
  ask({ input, position: state.call.position });
}

/** One step of the session. What fails can be tried again: the gateway counts a position once. */
async function ask(step) {
  const call = state.call;
  find("entry").value = "";
  try {
    const screen = await beBusy(call, postStep({ session: call.session, number: state.number, ...step }));
    if (state.call !== call) return; // hung up, or another phone by now
    call.text = screen.text;
    show(screen.ends ? "ended" : "ussd");
  } catch (problem) {
    if (state.call === call) fail(problem, () => ask(step), goHome);
  }
}

/** Waits for a request; says so on the screen when it takes long. */
async function beBusy(call, request) {
  state.busy = true;
  const timer = setTimeout(() => show("waiting"), PATIENCE_MS);
  const done = () => {
    clearTimeout(timer);
    if (state.call === call) state.busy = false;
  };
  return request.finally(done);
}

function fail(problem, retry, leave) {
  if (!(problem instanceof Problem)) throw problem;
  state.failure = { problem, retry, leave };
  show("failed");
}

function goHome() {
  state.call = null;
  state.busy = false;
  find("entry").value = "";
  show("home");
}

function retry() {
  state.failure.retry();
}

// messages ----------------------------------------------------------------------------------------

/** What this number's phone holds. Sent and read ones outlive a reload, not the tab. */
function openPhone() {
  if (!state.phones.has(state.number)) {
    const kept = parse(recall(sessionStorage, `mati-${state.number}`) ?? "{}");
    state.phones.set(state.number, {
      number: state.number,
      received: [],
      sent: kept.sent ?? [],
      read: new Set(kept.read),
      known: new Map(), // when each message came first
      toReport: [], // ids of which the gateway is yet to hear that they came
    });
  }
  return state.phones.get(state.number);
}

function keepPhone({ number, sent, read }) {
  keep(sessionStorage, `mati-${number}`, JSON.stringify({ sent: sent.slice(-50), read: [...read].slice(-100) }));
}

function listMessages() {
  const { received, sent } = openPhone();
  return [...received, ...sent].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).reverse();
}

function countUnread() {
  const { received, read } = openPhone();
  return received.filter((message) => !read.has(message.id)).length;
}

function describeUnread() {
  const n = countUnread();
  if (n === 0) return "";
  return n === 1 ? say("1 new message.") : say("{n} new messages.", { n });
}

/** Looks for messages, again and again while the page is visible. */
async function poll() {
  const turn = ++state.turn;
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
  if (turn !== state.turn) return;
  setTimeout(() => turn === state.turn && poll(), POLL_MS);
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

function openInbox() {
  const newest = listMessages()[0];
  state.chosen = newest ? newest.id : "write";
  state.call = null;
  drawMessages();
  show("inbox");
}

function readChosen() {
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

function backToInbox() {
  drawMessages();
  show("inbox");
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

function sendDraft() {
  const text = find("draft").value;
  if (state.busy || !text.trim()) return;
  sendSms({ id: makeId(), text, at: new Date().toISOString(), mine: true });
}

function chosenMessage() {
  return listMessages().find((message) => message.id === state.chosen) ?? { text: "", at: "" };
}

/** 14:02 today, 12/03 14:02 on another day. */
function formatTime(at) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "";
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (time.toDateString() === new Date().toDateString()) return clock;
  return `${two(time.getDate())}/${two(time.getMonth() + 1)} ${clock}`;
}

// the screen --------------------------------------------------------------------------------------

/* What each view shows, and what its keys do. `field` is where typing goes, `rows` that up and down choose. */
const VIEWS = {
  home: () => ({
    text: describeUnread(),
    hint: true,
    field: "entry",
    label: "Number to dial",
    left: ["Messages", openInbox],
    right: ["Write SMS", () => show("compose")],
    call: dial,
    end: goHome,
  }),
  waiting: () => ({ text: say("Please wait…"), right: ["Cancel", goHome], end: goHome }),
  ussd: () => ({
    text: state.call.text,
    caption: describeScreen(state.call.text),
    field: "entry",
    label: "Your answer",
    left: ["Send", answer],
    right: ["Cancel", goHome],
    end: goHome,
  }),
  ended: () => ({
    text: state.call.text,
    caption: describeScreen(state.call.text),
    about: say("The session is over."),
    left: ["OK", goHome],
    end: goHome,
  }),
  failed: () => ({
    text: state.failure.problem.tell(),
    about: say("Not done."),
    left: state.failure.retry ? ["Try again", retry] : ["OK", state.failure.leave],
    right: state.failure.retry ? ["Cancel", state.failure.leave] : null,
    end: state.failure.leave,
  }),
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

/** Turns to a view, with its beginning on the screen and its field ready for typing. */
function show(view) {
  state.view = view;
  draw();
  find("display").scrollTop = 0;
  markMore();
  const { field, rows } = VIEWS[view]();
  const active = document.activeElement;
  if (active !== document.body && !find("phone").contains(active)) return; // never takes it from beside the phone
  if (field === "draft" && !matchMedia("(pointer: fine)").matches) return; // a touch keyboard would cover the keypad
  const target = rows ? findRow() : find(field ?? "left");
  target.focus({ preventScroll: true });
}

/** Puts the state on the page. */
function draw() {
  const view = VIEWS[state.view]();
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
  find("unread").hidden = !countUnread();
  write(find("unread"), say("{n} new", { n: countUnread() }));
  write(find("notice"), state.offline && state.view !== "failed" ? state.offline.tell() : "");
  markMore();
}

/** The inbox as rows of two lines; the chosen row keeps the keyboard. */
function drawMessages() {
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

function findRow() {
  return [...find("messages").querySelectorAll("button")].find((row) => row.dataset.message === state.chosen);
}

function choose(id, focus) {
  state.chosen = id;
  for (const row of find("messages").querySelectorAll("button")) {
    row.setAttribute("aria-current", String(row.dataset.message === id));
  }
  const row = findRow();
  if (focus) row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/** Shows by arrows whether there is more above or below. */
function markMore() {
  const area = state.view === "compose" ? find("draft") : find("display");
  find("above").className = area.scrollTop > 1 ? "on" : "";
  find("below").className = area.scrollTop + area.clientHeight < area.scrollHeight - 1 ? "on" : "";
}

// keys --------------------------------------------------------------------------------------------

function pressCall() {
  const view = VIEWS[state.view]();
  const action = view.call ?? view.left?.[1];
  if (action) action();
}

function pressEnd() {
  VIEWS[state.view]().end();
}

function pressSide(side) {
  VIEWS[state.view]()[side]?.[1]();
}

/** Scrolls by a line, or chooses the next message. Gives whether there was one. */
function pressArrow(down) {
  if (VIEWS[state.view]().rows) {
    const rows = [...find("messages").querySelectorAll("button")];
    const next = rows[rows.indexOf(findRow()) + (down ? 1 : -1)];
    if (next) choose(next.dataset.message, true);
    draw();
    return Boolean(next);
  }
  const area = state.view === "compose" ? find("draft") : find("display");
  const before = area.scrollTop;
  const line = parseFloat(getComputedStyle(find("text")).lineHeight);
  area.scrollTop = (Math.round(before / line) + (down ? 1 : -1)) * line;
  markMore();
  return area.scrollTop !== before;
}

function pressKey(key) {
  const field = find(VIEWS[state.view]().field ?? "");
  if (!field) return;
  field.setRangeText(key, field.selectionStart, field.selectionEnd, "end");
  draw();
}

function erase() {
  const field = find(VIEWS[state.view]().field ?? "");
  if (!field) return;
  const [start, end] = [field.selectionStart, field.selectionEnd];
  const before = [...field.value.slice(0, start)];
  if (start === end) before.pop(); // a whole character, never half of a pair
  field.setRangeText("", before.join("").length, end, "end");
  draw();
}

/** The keyboard works wherever the focus is, except where it belongs to a field or a button. */
function pressKeyboard(event) {
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
function keepFocus(event) {
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

// the number and the lines ------------------------------------------------------------------------

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

/** Browsers may forbid to store; the phone works without. */
function keep(storage, name, value) {
  try {
    storage.setItem(name, value);
  } catch {
    // nothing is lost but the habit
  }
}

function recall(storage, name) {
  try {
    return storage.getItem(name);
  } catch {
    return null;
  }
}

// the crowd ---------------------------------------------------------------------------------------

const CROWD = 12;
const PREFIXES = ["10", "12", "88", "97"];
const MENU_KEY = "8"; // printed on the list of services, and only there
const MORE_KEY = "9"; // the next page
const MOST_PRESSED = 20; // in a call

/** Invented numbers, each once: six-digit subscribers that start with 0 are not assigned (DOMAIN.md, Phones). */
function inventNumber() {
  const { used } = state.crowd;
  for (;;) {
    const subscriber = 50000 + Math.floor(Math.random() * 50000);
    if (used.has(subscriber)) continue;
    used.add(subscriber);
    keep(localStorage, "mati-crowd", JSON.stringify([...used].slice(-2000)));
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
  const rated = (state.crowd.rated[run.commune] ??= new Set());
  const fresh = services.filter((key) => !rated.has(key));
  run.service = pick(fresh.length ? fresh : services);
  run.serviceName = text.split("\n").find((line) => line.startsWith(`${run.service} `)) ?? run.service;
  rated.add(run.service);
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
  state.crowd.run = run;
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
  if (state.crowd.run) state.crowd.run.running = false;
}

function drawCrowd() {
  if (!find("crowd")) return;
  const { run } = state.crowd;
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
  if (!state.crowd.run?.running) return;
  event.preventDefault();
  stopCrowd();
}

// the beginning -----------------------------------------------------------------------------------

function listen() {
  document.addEventListener("keydown", pressKeyboard);
  document.addEventListener("visibilitychange", poll);
  find("phone").addEventListener("mousedown", keepFocus);
  const clicks = {
    language: switchLanguage,
    hint: dialHint,
    erase,
    left: () => pressSide("left"),
    right: () => pressSide("right"),
    call: pressCall,
    end: pressEnd,
    up: () => pressArrow(false),
    down: () => pressArrow(true),
    "next-villager": nextVillager,
    "open-crowd": () => find("crowd").showModal(),
    "crowd-start": runCrowd,
    "crowd-stop": stopCrowd,
    "crowd-close": () => find("crowd").close(),
  };
  for (const [id, action] of Object.entries(clicks)) find(id)?.addEventListener("click", action);
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
  find("crowd")?.addEventListener("cancel", leaveCrowd);
  find("crowd")?.addEventListener("close", stopCrowd);
}

function begin() {
  const kept = recall(localStorage, "mati-language");
  state.language = kept === "km" || (kept !== "en" && navigator.language.startsWith("km")) ? "km" : "en";
  const used = parse(recall(localStorage, "mati-crowd") ?? "[]");
  state.crowd.used = new Set(Array.isArray(used) ? used : []);
  const lines = recall(localStorage, "mati-lines");
  changeLines(["2", "4", "6", "8"].includes(lines) ? lines : find("display").dataset.lines);
  find("number").value = state.number;
  translate();
  drawMessages();
  draw();
  drawCrowd();
  listen();
  find("language").hidden = false;
  find("handset").hidden = false;
  markMore();
  poll();
}

begin();
