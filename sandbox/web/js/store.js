// The sandbox's state in this window: read once, then kept fresh by server-sent events.

import { getState } from "./api.js";

export const LISTENER = 1001;
export const TEAM = 2001;
const MAX_ANSWERS = 100; // other windows' presses are answered here too, and nobody fetches those

/**
 * Events, each with `detail`: "reset" (draw everything again), "message" {chat, stored, isNew}, "action" {chat, action},
 * "draft" {chat}, "keyboard" {chat}, "call", "faults", "connection".
 */
export class Store extends EventTarget {
  constructor() {
    super();
    this.state = null;
    this.isConnected = false;
    this.hasBot = false;
    this.answers = new Map(); // query id -> the bot's answer, or the function that waits for it
  }

  async start() {
    await this.load();
    this.#listen();
  }

  async load() {
    const state = await getState();
    for (const chat of state.chats) {
      chat.messages = new Map(chat.messages.map((stored) => [stored.message.message_id, stored]));
    }
    this.state = state;
    this.hasBot = state.polling;
    this.#tell("reset");
  }

  #listen() {
    const source = new EventSource(`/sandbox/api/events?since=${this.state.revision}`);
    source.onopen = () => this.#setConnected(true);
    source.onerror = () => {
      this.#setConnected(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#reconnect(), 1500);
    };
    source.addEventListener("resync", () => this.load());
    source.onmessage = (event) => this.#apply(JSON.parse(event.data));
  }

  async #reconnect() {
    try {
      await this.load();
      this.#listen();
    } catch {
      setTimeout(() => this.#reconnect(), 1500);
    }
  }

  #setConnected(isConnected) {
    this.isConnected = isConnected;
    this.#tell("connection");
  }

  #apply({ revision, kind, payload }) {
    this.state.revision = revision;
    const chat = this.chat(payload.chat);
    if (kind === "message" && chat) {
      const { chat: _, ...stored } = payload;
      const id = stored.message.message_id;
      const isNew = !chat.messages.has(id);
      chat.messages.set(id, stored);
      if (stored.message.from.is_bot) chat.action = null;
      this.#tell("message", { chat, stored, isNew });
    } else if (kind === "chat_action" && chat) {
      chat.action = { name: payload.action, until: Date.now() + 5200 };
      this.#tell("action", { chat });
      setTimeout(() => this.#tell("action", { chat }), 5300);
    } else if (kind === "draft" && chat) {
      chat.draft = payload.text === null ? null : payload;
      this.#tell("draft", { chat });
    } else if (kind === "keyboard" && chat) {
      chat.keyboard = payload.keyboard;
      this.#tell("keyboard", { chat });
    } else if (kind === "callback_answer") {
      this.#answered(payload);
    } else if (kind === "call") {
      this.#tell("call", payload);
    } else if (kind === "faults") {
      this.state.faults = payload.active;
      this.#tell("faults");
    } else if (kind === "polling") {
      this.hasBot = true;
      this.#tell("connection");
    } else if (["people", "chat", "commands"].includes(kind)) {
      this.#loadSoon();
    }
  }

  /** The bot's answer to a press; it may have come before the press had told its query's id. */
  answerTo(query) {
    const answer = this.answers.get(query);
    this.answers.delete(query);
    return answer ?? new Promise((resolve) => this.answers.set(query, resolve));
  }

  #answered(answer) {
    const waiting = this.answers.get(answer.query);
    this.answers.delete(answer.query);
    waiting?.(answer);
    if (waiting) return;
    this.answers.set(answer.query, answer);
    if (this.answers.size > MAX_ANSWERS) this.answers.delete(this.answers.keys().next().value);
  }

  /** One reload for a burst of changes. */
  #loadSoon() {
    clearTimeout(this.reload);
    this.reload = setTimeout(() => this.load(), 120);
  }

  #tell(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  chat(id) {
    return this.state.chats.find((chat) => chat.id === id);
  }

  person(id) {
    return this.state.people.find((person) => person.id === id);
  }
}
