"use strict";
const KEYS = "qwert";
const cards = [...document.querySelectorAll(".card")];
const most = Number(document.body.dataset.most);
const offered = document.getElementById("offered");
let current = cards.find(card => card.classList.contains("unread")) || cards[0];

const points = card => card.querySelector("input");
const comment = card => card.querySelector("textarea");

function show(card) {
  if (!card) return;
  current = card;
  card.focus({preventScroll: true});
  card.scrollIntoView({block: "nearest"});
}

// Answers are saved one after the other: what was typed last is what stays.
let queue = Promise.resolve(), pending = 0;
function save(card) {
  pending += 1;
  card.saves = (card.saves || 0) + 1;
  card.querySelector(".state").textContent = "saving …";
  const given = {number: Number(card.dataset.number), version: card.dataset.version, points: points(card).value, comment: comment(card).value};
  const number = card.saves;
  queue = queue.then(() => send(card, given, () => card.saves === number)).finally(() => { pending -= 1; });
}
addEventListener("beforeunload", event => {
  if (pending) event.preventDefault();  // the browser asks
});

async function send(card, given, isNewest) {
  const state = card.querySelector(".state");
  let why = "";
  try {
    const answer = await fetch(location.pathname, {
      method: "POST", body: JSON.stringify(given), headers: {"X-XSRFToken": document.body.dataset.xsrf},
    });
    const saved = await answer.json();
    if (answer.ok) {
      if (isNewest()) state.textContent = saved.state + ", saved";
      card.classList.toggle("unread", saved.unread);
      document.getElementById("waiting").textContent = saved.waiting;
      offer(saved.offered);
    } else {
      why = saved.why;
    }
  } catch {
    why = "the page's server does not answer";
  }
  state.classList.toggle("wrong", Boolean(why));
  if (why) state.textContent = "Not saved: " + why;
}

function offer(comments) {
  offered.replaceChildren(...comments.map((text, i) => {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = KEYS[i];
    button.type = "button";
    button.dataset.comment = text;
    button.append(key, " " + text);
    return button;
  }));
}

function give(card, value) {
  points(card).value = Math.min(Math.max(value, 0), most);
  save(card);
}

function put(card, text) {
  const before = comment(card).value.trim();
  if (before.includes(text)) return;
  comment(card).value = before ? before + "\n" + text : text;
  save(card);
}

document.addEventListener("focusin", event => {
  current = event.target.closest(".card") || current;
});
document.addEventListener("change", event => {
  const card = event.target.closest(".card");
  if (card) save(card);
});
offered.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button && current) put(current, button.dataset.comment);
});

document.addEventListener("keydown", event => {
  if (!current || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, textarea");
  if (typing) {
    if (event.key === "Escape") show(current);
    return;
  }
  if (event.target.matches("button, a, summary") && event.key === "Enter") return;
  const at = cards.indexOf(current);
  const chosen = offered.children[KEYS.indexOf(event.key)];
  if (event.key === "j" || event.key === "ArrowDown") show(cards[at + 1]);
  else if (event.key === "k" || event.key === "ArrowUp") show(cards[at - 1]);
  else if (/^[0-9]$/.test(event.key)) give(current, Number(event.key));
  else if (event.key === "+" || event.key === "-") give(current, Number(points(current).value) + (event.key === "+" ? 0.5 : -0.5));
  else if (event.key === "c") comment(current).focus();
  else if (KEYS.includes(event.key) && chosen) put(current, chosen.dataset.comment);
  else if (event.key === "Enter") {
    if (current.classList.contains("unread") && points(current).value !== "") save(current);
    show(cards[at + 1]);
  } else return;
  event.preventDefault();
});
