/* How long a text is on its way: septets of GSM-7 or UTF-16 units, and the parts of an SMS. */

import { say } from "./handset-words.js";

const USSD_ROOM = { "GSM-7": 182, Unicode: 80 }; // 160 octets (3GPP TS 23.038, 6.1.2.3)
const SMS_ROOM = { "GSM-7": 160, Unicode: 70 }; // alone (3GPP TS 23.040, 9.2.3.24.1)
const PART_ROOM = { "GSM-7": 153, Unicode: 67 }; // each of several

const IN_ONE = { "GSM-7": "{n} of {room} characters (GSM-7)", Unicode: "{n} of {room} (Unicode)" };
const IN_PARTS = { "GSM-7": "{n} characters in {parts} parts (GSM-7)", Unicode: "{n} in {parts} parts (Unicode)" };

// 3GPP TS 23.038, 6.2.1 and 6.2.1.1: a character of the second set is sent as an escape and a character.
const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const EXTENSION = new Set("\f^{}\\[~]|€");

/** Alphabet, length and parts of a text as an SMS, and what is left of its last part. No pair straddles two parts. */
function count(text) {
  const characters = [...text];
  const gsm = characters.every((character) => BASIC.has(character) || EXTENSION.has(character));
  const alphabet = gsm ? "GSM-7" : "Unicode";
  const costs = characters.map((character) => (gsm ? 1 + EXTENSION.has(character) : character.length));
  const n = costs.reduce((sum, cost) => sum + cost, 0);
  if (n <= SMS_ROOM[alphabet]) return { alphabet, n, parts: 1, left: SMS_ROOM[alphabet] - n };
  const room = PART_ROOM[alphabet];
  let [parts, used] = [1, 0];
  for (const cost of costs) {
    if (used + cost > room) [parts, used] = [parts + 1, 0];
    used += cost;
  }
  return { alphabet, n, parts, left: room - used };
}

/** The small line under a USSD screen. */
export function describeScreen(text) {
  const { alphabet, n } = count(text);
  return say(IN_ONE[alphabet], { n, room: USSD_ROOM[alphabet] });
}

/** The small line under an SMS. */
export function describeMessage(text) {
  const { alphabet, n, parts } = count(text);
  if (parts > 1) return say(IN_PARTS[alphabet], { n, parts });
  return say(IN_ONE[alphabet], { n, room: SMS_ROOM[alphabet] });
}

/** The small line under an SMS that is being written. */
export function describeDraft(text) {
  const { alphabet, parts, left } = count(text);
  const sentence = parts === 1 ? "{left} left, 1 part ({alphabet})" : "{left} left, {parts} parts ({alphabet})";
  return say(sentence, { left, parts, alphabet });
}
