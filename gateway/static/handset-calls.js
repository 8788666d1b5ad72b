/* Calls: a code is dialled, screens come, answers go, until the session is over. */

import { describeScreen } from "./handset-lengths.js";
import { find } from "./handset-page.js";
import { codeToDial, state } from "./handset-phone.js";
import { beBusy, fail, goHome, show } from "./handset-screen.js";
import { makeId, postStep, Problem } from "./handset-wire.js";
import { say } from "./handset-words.js";

const bareCode = codeToDial.replace(/#$/, "");
let lastDialled = "";

export const CALL_VIEWS = {
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
};

/** The path behind the code: "2*5" of *855*2*5#, "" of *855#; null of anything else. */
function readPath(dialled) {
  const digits = dialled.replace(/[០-៩]/g, (digit) => digit.charCodeAt(0) - 0x17e0).replace(/\s/g, "");
  const match = digits.replace(/#$/, "");
  if (match === bareCode) return "";
  return match.startsWith(`${bareCode}*`) ? match.slice(bareCode.length + 1).replace(/\*+$/, "") : null;
}

export function dial() {
  const dialled = find("entry").value.trim();
  if (!dialled) {
    find("entry").value = lastDialled || codeToDial;
    return;
  }
  lastDialled = dialled;
  const path = readPath(dialled);
  if (path === null) {
    const sentence = "This phone reaches {code} only. Dial {code}, or {code} with a path such as {example}.";
    fail(new Problem(sentence, { code: codeToDial, example: `${bareCode}*2*5#` }), null, goHome);
    return;
  }
  state.call = { session: makeId(), position: path ? path.split("*").length : 0, text: "" };
  ask({ input: null, dialled: path });
}

export function dialHint() {
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
