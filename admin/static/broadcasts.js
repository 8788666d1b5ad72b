// Two things that a broadcast's pages do by themselves: count while one types, and show how far the sending is.
// Both pages say the same without this script, once they are loaded anew.
"use strict";

const PAUSE = 400; // milliseconds after the last key
const LOOK = 2000; // milliseconds between two looks at the sending

function countWhileTyping(form) {
  let timer = 0;
  let turn = 0;
  async function count() {
    const mine = ++turn;
    let answer;
    try {
      answer = await fetch(form.dataset.count, { method: "POST", body: new FormData(form) });
    } catch {
      return; // no connection just now: the next key tries again
    }
    if (!answer.ok || mine !== turn) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const place of form.querySelectorAll("[data-counted]")) {
      const fresh = page.querySelector(`[data-counted="${place.dataset.counted}"]`);
      if (fresh && mine === turn) place.replaceChildren(...fresh.childNodes);
    }
  }
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(count, PAUSE);
  });
}

function follow(place) {
  async function look() {
    let answer;
    try {
      answer = await fetch(place.dataset.live);
    } catch {
      setTimeout(look, LOOK);
      return;
    }
    if (answer.redirected || !answer.ok) return; // logged out: what stands here stays
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-progress]");
    if (!fresh) return;
    place.replaceChildren(...fresh.childNodes);
    if (fresh.dataset.live && fresh.dataset.state === place.dataset.state) setTimeout(look, LOOK);
    else location.reload(); // it is through, or somebody held it back: other things can be done now
  }
  setTimeout(look, LOOK);
}

for (const form of document.querySelectorAll("form[data-count]")) countWhileTyping(form);
for (const place of document.querySelectorAll("[data-live]")) follow(place);
