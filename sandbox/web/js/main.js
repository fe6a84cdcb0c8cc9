// The page: which chat, which user, which language, which theme.

import { el, icon } from "./dom.js";
import { act } from "./api.js";
import { Composer } from "./composer.js";
import { Inspector } from "./inspector.js";
import { LISTENER, Store, TEAM } from "./store.js";
import { chatFace, chatName, chatStyle, lastLine, Thread } from "./thread.js";
import { setLanguage, t } from "./words.js";

const store = new Store();
const composer = new Composer(store);
const thread = new Thread(store, {
  send: (text) => composer.send(text),
  sendSample: () => composer.sendSample(),
  onReply: (stored) => composer.setReply(stored),
  query: (text) => composer.query(text),
});
const inspector = new Inspector(store);
const seen = JSON.parse(localStorage.getItem("seen") ?? "{}");

/** The chats of this page, each with the user who acts in it. */
function places() {
  const group = (type) => store.state.chats.find((chat) => chat.type === type);
  const found = [
    { name: "bot", chat: store.chat(LISTENER), user: LISTENER },
    { name: "team", chat: group("supergroup"), user: TEAM },
    { name: "friends", chat: group("group"), user: LISTENER },
  ];
  return found.filter(({ chat }) => chat);
}

function here() {
  const name = location.hash.slice(1);
  return places().find((place) => place.name === name) ?? places()[0];
}

function draw() {
  const place = here();
  setLanguage(store.person(LISTENER).language_code);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === store.person(LISTENER).language_code));
  }
  thread.open(place.chat, place.user);
  composer.open(place.chat, place.user);
  inspector.label();
  drawConnection();
  drawChats();
}

function drawChats() {
  const current = here();
  markSeen(current.chat);
  const rows = places().map(({ name, chat, user }) => {
    const unread = [...chat.messages.values()].filter(
      ({ message, is_deleted }) => !is_deleted && message.from.id !== user && message.message_id > (seen[chat.id] ?? 0),
    ).length;
    const { text, time } = lastLine(chat, user);
    const button = el(
      "button",
      { type: "button", "aria-current": name === current.name ? "true" : null, dataset: { chat: name }, onclick: () => (location.hash = name) },
      el("span.avatar", { class: chatStyle(chat), "aria-hidden": "true" }, chatFace(chat)),
      el("span.chat-name", {}, chatName(store, chat)),
      el("span.chat-time", {}, time),
      el("span.chat-last", {}, text),
      unread ? el("span.badge", { "aria-label": `+${unread}` }, String(unread)) : null,
    );
    return el("li", {}, button);
  });
  const list = document.getElementById("chats");
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.chat : null;
  list.replaceChildren(...rows);
  if (focused) list.querySelector(`[data-chat="${focused}"]`)?.focus();
}

function markSeen(chat) {
  if (document.hidden) return;
  seen[chat.id] = Math.max(0, ...chat.messages.keys());
  localStorage.setItem("seen", JSON.stringify(seen));
}

function drawConnection() {
  const banner = document.querySelector(".banner");
  banner.classList.toggle("is-lost", !store.isConnected);
  const text = !store.isConnected ? t("lost") : store.hasBot ? t("banner") : t("noBot");
  banner.lastElementChild.textContent = text;
  document.body.dataset.connected = String(store.isConnected);
  document.body.dataset.bot = String(store.hasBot);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").replaceChildren(icon(theme === "dark" ? "sun" : "moon"));
}

function startTheme() {
  const wish = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => setTheme(localStorage.getItem("theme") ?? (wish.matches ? "dark" : "light"));
  wish.addEventListener("change", follow);
  document.getElementById("theme").addEventListener("click", () => {
    localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    follow();
  });
  follow();
}

store.addEventListener("reset", draw);
store.addEventListener("connection", drawConnection);
store.addEventListener("message", ({ detail }) => {
  if (detail.chat === here().chat) thread.update(detail.stored, detail.isNew);
  drawChats();
});
for (const name of ["action", "draft", "keyboard"]) {
  store.addEventListener(name, ({ detail }) => {
    if (detail.chat !== here().chat) return;
    if (name === "action") thread.drawHead();
    if (name === "draft") thread.drawDraft();
    if (name === "keyboard") composer.drawKeyboard();
  });
}
addEventListener("hashchange", draw);
document.addEventListener("visibilitychange", () => store.state && drawChats());
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => act("set_person", { user: LISTENER, language_code: button.dataset.language }));
}

startTheme();
await store.start();
if (localStorage.getItem("inspector") && innerWidth >= 880) await inspector.toggle(true);
document.body.dataset.ready = "true";
