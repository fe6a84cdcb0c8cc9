// The open chat: its messages in order, its header, its place on the screen.

import { el, icon, logo } from "./dom.js";
import { renderMessage, summary, timeOf } from "./bubble.js";
import { language, t } from "./words.js";

const NEAR_END_PX = 120;

export class Thread {
  /** @param tools {send(text), sendSample(), onReply(stored), query(text)} */
  constructor(store, tools) {
    this.store = store;
    this.tools = tools;
    this.nodes = new Map();
    this.list = document.getElementById("messages");
    this.scroller = document.getElementById("scroller");
    this.toEnd = document.getElementById("to-end");
    this.toEnd.append(icon("down"));
    this.toEnd.addEventListener("click", () => this.scrollToEnd(true));
    this.scroller.addEventListener("scroll", () => this.#showWayBack(), { passive: true });
    new ResizeObserver(() => this.wasAtEnd && this.scrollToEnd()).observe(this.list);
    this.wasAtEnd = true;
  }

  /** Draw a chat from the start, as seen by `userId`. */
  open(chat, userId) {
    const isOther = this.chat?.id !== chat.id;
    this.chat = chat;
    this.userId = userId;
    this.view = {
      store: this.store,
      chat,
      userId,
      onReply: this.tools.onReply,
      onJump: (id) => this.jump(id),
      send: this.tools.send,
      query: this.tools.query,
    };
    this.list.setAttribute("aria-live", "off"); // a redraw is no news
    this.nodes.clear();
    this.list.replaceChildren();
    this.toEnd.setAttribute("aria-label", t("toEnd"));
    let previous = null;
    for (const stored of this.#visible()) {
      this.#put(stored, previous);
      previous = stored;
    }
    this.#welcome();
    this.drawDraft();
    this.drawHead();
    if (isOther || this.wasAtEnd) this.scrollToEnd();
    requestAnimationFrame(() => this.list.setAttribute("aria-live", "polite"));
  }

  /** A message came or changed. */
  update(stored, isNew) {
    const id = stored.message.message_id;
    const wasAtEnd = this.#isAtEnd();
    if (stored.is_deleted) {
      this.nodes.get(id)?.remove();
      this.nodes.delete(id);
    } else if (this.nodes.has(id)) {
      this.#replace(stored);
    } else {
      const shown = this.#visible();
      this.#put(stored, shown[shown.indexOf(stored) - 1] ?? null);
    }
    this.#welcome();
    this.drawDraft();
    this.drawHead();
    const isOwn = stored.message.from.id === this.userId;
    if (wasAtEnd || (isNew && isOwn)) this.scrollToEnd(true);
    else this.#showWayBack();
  }

  #visible() {
    return [...this.chat.messages.values()].filter((stored) => !stored.is_deleted);
  }

  #options(stored, previous) {
    const { message } = stored;
    const isJoined = Boolean(previous) && previous.message.from.id === message.from.id && message.date - previous.message.date < 300;
    const showsSender = this.chat.type !== "private" && message.from.id !== this.userId && !isJoined;
    return { isJoined, isLast: true, showsSender };
  }

  #put(stored, previous) {
    if (!previous || dayOf(previous) !== dayOf(stored)) this.list.append(el("div.day", {}, dayName(stored)));
    const options = this.#options(stored, previous);
    if (options.isJoined) this.nodes.get(previous.message.message_id)?.classList.remove("is-last");
    const node = renderMessage(stored, this.view, options);
    this.nodes.set(stored.message.message_id, node);
    this.list.append(node);
  }

  /** Exchange one bubble; what is playing in it goes on. */
  #replace(stored) {
    const id = stored.message.message_id;
    const old = this.nodes.get(id);
    const shown = this.#visible();
    const options = this.#options(stored, shown[shown.indexOf(stored) - 1] ?? null);
    const focused = old.contains(document.activeElement) ? [...old.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    const node = renderMessage(stored, this.view, { ...options, isLast: old.classList.contains("is-last") });
    node.style.animation = "none";
    old.replaceWith(node);
    this.nodes.set(id, node);
    if (focused >= 0) node.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
  }

  #welcome() {
    const isEmpty = this.#visible().length === 0;
    const shown = this.list.querySelector(".welcome");
    if (!isEmpty) return shown?.remove();
    if (shown) return undefined;
    if (this.chat.type !== "private") {
      const text = this.userId === 2001 ? t("emptyTeam") : t("emptyGroup");
      this.list.append(el("div.welcome", {}, el("p", {}, text)));
      return undefined;
    }
    const text = this.chat.description[language()] || t("description");
    this.list.append(
      el(
        "div.welcome",
        {},
        el("span.avatar", {}, logo()),
        el("h3", {}, t("welcome")),
        el("p", {}, text),
        el("button.primary", { type: "button", onclick: () => this.tools.send("/start") }, t("start")),
        el("button.secondary", { type: "button", onclick: () => this.tools.sendSample() }, t("sample")),
      ),
    );
    return undefined;
  }

  /** The animated preview that a bot may send while it works. */
  drawDraft() {
    this.list.querySelector(".ephemeral")?.remove();
    const { draft } = this.chat;
    if (!draft) return;
    const text = draft.text || "…";
    this.list.append(el("article.message.is-last.ephemeral", {}, el("div.bubble", {}, el("div.body", {}, text, " ", dots()))));
    if (this.wasAtEnd) this.scrollToEnd();
  }

  drawHead() {
    const { chat } = this;
    const avatar = document.getElementById("thread-avatar");
    avatar.className = `avatar ${chatStyle(chat)}`;
    avatar.replaceChildren(chatFace(chat));
    document.getElementById("thread-name").textContent = chatName(this.store, chat);
    const status = document.getElementById("thread-status");
    const isBusy = chat.action && chat.action.until > Date.now();
    status.classList.toggle("is-busy", Boolean(isBusy));
    const idle = chat.type === "private" ? t("bot") : t("members")(chat.member_ids.length);
    const team = this.userId === 2001 && chat.type !== "private" ? ` · ${t("asTeam")}` : "";
    if (isBusy) status.replaceChildren(t("actions")[chat.action.name] ?? chat.action.name, dots());
    else status.replaceChildren(idle + team);
  }

  jump(id) {
    const node = this.nodes.get(id);
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.remove("is-flashing");
    requestAnimationFrame(() => node.classList.add("is-flashing"));
  }

  scrollToEnd(isSmooth = false) {
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: isSmooth ? "smooth" : "instant" });
    this.wasAtEnd = true;
    this.toEnd.hidden = true;
  }

  #isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #showWayBack() {
    this.wasAtEnd = this.#isAtEnd();
    this.toEnd.hidden = this.wasAtEnd;
  }
}

export const dots = () => el("span.dots", { "aria-hidden": "true" }, el("i"), el("i"), el("i"));

const dayOf = (stored) => new Date(stored.message.date * 1000).toDateString();

function dayName(stored) {
  const day = new Date(stored.message.date * 1000);
  const ago = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 86400000);
  if (ago === 0) return t("today");
  if (ago === 1) return t("yesterday");
  return day.toLocaleDateString(language(), { day: "numeric", month: "long" });
}

export const chatName = (store, chat) => (chat.type === "private" ? store.state.bot.first_name : chat.title);

export const chatStyle = (chat) => (chat.type === "private" ? "" : chat.type === "supergroup" ? "team" : "group");

export const chatFace = (chat) => (chat.type === "private" ? logo() : chat.title.slice(0, 1));

/** The last line of a chat, for the list. */
export function lastLine(chat, userId) {
  const shown = [...chat.messages.values()].filter((stored) => !stored.is_deleted);
  const last = shown.at(-1)?.message;
  if (!last) return { text: "", time: "" };
  const who = last.from.id === userId ? `${t("you")}: ` : chat.type === "private" ? "" : `${last.from.first_name}: `;
  return { text: who + summary(last), time: timeOf(last) };
}
