/* Requests to the gateway's simulator (CONTRACT.md, Webhooks) and to nothing else, and what can go wrong with them:
 *   POST /hooks/simulator/ussd   {session, number, input, dialled | position} -> {text, ends}
 *   POST /hooks/simulator/sms    {id, from, to, text}
 *   POST /hooks/simulator/inbox  {number, shown} -> {messages: [{id, text, at}]}
 */

import { say } from "./handset-words.js";

const WAIT_MS = 15000; // for an answer of the gateway

/** What went wrong, as a sentence that says what to do. */
export class Problem extends Error {
  constructor(sentence, values) {
    super(sentence);
    this.values = values;
  }

  tell() {
    return say(this.message, this.values);
  }
}

/** Posts to the simulator and gives its answer's text. Throws a Problem. */
export async function post(event, fields) {
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
export async function postStep(fields) {
  const screen = parse(await post("ussd", fields));
  if (typeof screen.text === "string") return screen;
  throw new Problem("A phone cannot read this answer. Check that this page comes from the gateway itself.");
}

export function parse(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

export function makeId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
