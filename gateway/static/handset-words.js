/* The words of the page in two languages. English is in the code, as in the catalogues of the menus.
 * Khmer is to be checked by a native speaker.
 */

import { find, keep, recall } from "./handset-page.js";

const STORED = "mati-language";
const NAMES = { en: "English", km: "ខ្មែរ" };

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

let language = "en";

/** A sentence in the language of the page, with values for its {placeholders}. */
export function say(sentence, values = {}) {
  const words = (language === "km" && KHMER[sentence]) || sentence;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Begins in the language chosen earlier, else in the browser's. */
export function beginLanguage() {
  const kept = recall(localStorage, STORED);
  language = kept === "km" || (kept !== "en" && navigator.language.startsWith("km")) ? "km" : "en";
  translate();
}

export function switchLanguage() {
  language = otherLanguage();
  keep(localStorage, STORED, language);
  translate();
}

function otherLanguage() {
  return language === "km" ? "en" : "km";
}

/** Puts the page's fixed words into the language. */
function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-say]")) {
    element.dataset.say ||= element.textContent;
    element.textContent = say(element.dataset.say);
  }
  for (const element of document.querySelectorAll("[data-say-label]")) {
    element.setAttribute("aria-label", say(element.dataset.sayLabel));
  }
  find("language").lang = otherLanguage();
  find("language").textContent = NAMES[otherLanguage()];
}
