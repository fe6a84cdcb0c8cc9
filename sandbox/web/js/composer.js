// Writing: text, commands, files, replies, inline queries, a recorded voice.

import { el, icon, toast } from "./dom.js";
import { act, sendFiles } from "./api.js";
import { summary } from "./bubble.js";
import { language, t } from "./words.js";

export class Composer {
  constructor(store) {
    this.store = store;
    this.node = document.getElementById("composer");
    this.replyTo = null;
    this.#watchDrops();
  }

  /** Draw for a chat and the user who writes in it. */
  open(chat, userId) {
    const isSameChat = this.chat?.id === chat.id && this.userId === userId;
    this.chat = chat;
    this.userId = userId;
    const face = JSON.stringify([chat.id, userId, language()]);
    if (face === this.face) return this.#drawContext(); // an open menu stays open
    this.face = face;
    if (!isSameChat) this.replyTo = null;
    const hadFocus = document.activeElement === this.text;
    this.#draw();
    if (hadFocus) this.text.focus();
    return undefined;
  }

  #draw() {
    const draft = this.text?.value ?? "";
    this.popup = el("div.popup", { hidden: true });
    this.context = el("div", {});
    this.text = el("textarea", { id: "composer-text", rows: "1", placeholder: t("write"), "aria-label": t("write"), enterkeyhint: "send" });
    this.text.value = draft;
    this.picker = el("input", { type: "file", multiple: true, hidden: true, id: "picker" });
    this.sendButton = el("button.icon.send", { type: "submit", "aria-label": t("send") }, icon("send"));
    this.micButton = el("button.icon", { type: "button", "aria-label": t("record"), title: t("record"), onclick: () => this.#record() }, icon("mic"));
    const attach = el("button.icon", { type: "button", "aria-label": t("attach"), title: t("attach"), "aria-haspopup": "menu", onclick: () => this.#attachMenu() }, icon("attach"));
    this.menuButton = el(
      "button.menu-button",
      { type: "button", "aria-label": t("commands"), "aria-haspopup": "menu", onclick: () => this.#commandMenu("") },
      icon("menu"),
      el("span", {}, t("menu")),
    );
    const bar = el("form.composer-bar", { onsubmit: (event) => this.#submit(event) }, this.menuButton, this.text, attach, this.micButton, this.sendButton);
    this.node.replaceChildren(this.popup, this.context, bar, this.picker);
    this.picker.addEventListener("change", () => {
      this.sendFiles([...this.picker.files], this.picker.dataset.kind);
      this.picker.value = "";
    });
    this.text.addEventListener("input", () => this.#onInput());
    this.text.addEventListener("keydown", (event) => this.#onKey(event));
    this.text.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (files.length) this.sendFiles(files);
    });
    this.#onInput();
    this.#drawContext();
  }

  #commands() {
    return this.chat.commands?.[language()] ?? [];
  }

  /** What stands above the line: the message replied to, the chat's own keyboard, a blocked bot. */
  #drawContext() {
    this.menuButton.hidden = this.#commands().length === 0;
    const nodes = [];
    const person = this.store.person(this.userId);
    if (person.blocked && this.chat.type === "private") {
      nodes.push(el("button.primary", { type: "button", onclick: () => act("set_person", { user: this.userId, blocked: false }) }, t("unblock")));
    }
    const rows = this.chat.keyboard?.keyboard;
    if (rows) {
      const button = (key) => el("button", { type: "button", onclick: () => this.send(key.text ?? key) }, key.text ?? key);
      nodes.push(el("div.choices", {}, rows.map((row) => el("div.keys-row", {}, row.map(button)))));
    }
    if (this.replyTo) {
      const { message } = this.replyTo;
      nodes.push(
        el(
          "div.context",
          {},
          icon("reply"),
          el("span.quote", {}, el("b", {}, message.from.first_name), el("span", {}, summary(message))),
          el("button.icon", { type: "button", "aria-label": t("cancel"), onclick: () => this.setReply(null) }, icon("close")),
        ),
      );
    }
    this.context.replaceChildren(...nodes);
  }

  drawKeyboard() {
    this.#drawContext();
  }

  setReply(stored) {
    this.replyTo = stored;
    this.#drawContext();
    if (stored) this.text.focus();
  }

  /** Start an inline query, as a "share" button does. */
  query(text) {
    this.text.value = `@${this.store.state.bot.username} ${text}`;
    this.text.focus();
    this.#onInput();
  }

  #say(extra) {
    return { user: this.userId, chat: this.chat.id, reply_to: this.replyTo?.message.message_id ?? null, ...extra };
  }

  async #try(work) {
    try {
      await work();
      this.setReply(null);
    } catch (error) {
      toast(error.message, true);
    }
  }

  send(text) {
    return this.#try(() => act("send", this.#say({ kind: "text", text })));
  }

  /** Files as their kind, or unchanged; the written text becomes the caption. */
  sendFiles(files, kind = "auto") {
    if (!files.length) return undefined;
    const caption = this.text.value.trim() || null;
    return this.#try(async () => {
      await sendFiles(this.#say({ kind, caption }), files);
      this.text.value = "";
      this.#onInput();
    });
  }

  sendSample() {
    return this.#try(() => act("sample", this.#say({})));
  }

  #submit(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    if (!text) return;
    this.text.value = "";
    this.#onInput();
    this.send(text);
  }

  #onInput() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
    const hasText = this.text.value.trim() !== "";
    this.sendButton.classList.toggle("is-ready", hasText);
    this.sendButton.hidden = !hasText;
    this.micButton.hidden = hasText;
    const inline = this.text.value.match(new RegExp(`^@${this.store.state.bot.username}\\s+(.*)$`, "is")) ?? (this.text.value.trim() === `@${this.store.state.bot.username}` ? ["", ""] : null);
    if (inline) this.#askInline(inline[1]);
    else if (/^\/\w*$/.test(this.text.value)) this.#commandMenu(this.text.value.slice(1));
    else this.#closePopup();
  }

  #onKey(event) {
    const items = [...this.popup.querySelectorAll("button")];
    const active = items.findIndex((item) => item.classList.contains("is-active"));
    if (!this.popup.hidden && items.length && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      const next = (active + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
      items.forEach((item, i) => item.classList.toggle("is-active", i === next));
      items[next].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape") {
      this.#closePopup();
      this.setReply(null);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!this.popup.hidden && active >= 0) items[active].click();
      else this.node.querySelector("form").requestSubmit();
    }
  }

  #openPopup(label, items) {
    this.popup.setAttribute("role", "group");
    this.popup.setAttribute("aria-label", label);
    this.popup.replaceChildren(...items);
    this.popup.hidden = items.length === 0;
  }

  #closePopup() {
    this.popup.hidden = true;
    clearTimeout(this.inlineTimer);
  }

  #toggle(label, items) {
    if (!this.popup.hidden && this.popup.getAttribute("aria-label") === label) return this.#closePopup();
    this.#openPopup(label, items);
    items[0]?.focus();
    this.popup.onkeydown = (event) => {
      const at = items.indexOf(document.activeElement);
      if (event.key === "Escape") {
        this.#closePopup();
        this.text.focus();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length].focus();
      }
    };
    return undefined;
  }

  #commandMenu(prefix) {
    const items = this.#commands()
      .filter(({ command }) => command.startsWith(prefix))
      .map(({ command, description }) =>
        el(
          "button",
          {
            type: "button",
            onclick: () => {
              this.#closePopup();
              this.text.value = "";
              this.#onInput();
              this.send(`/${command}`);
            },
          },
          el("span.command-name", {}, `/${command}`),
          el("span.command-text", {}, description),
        ),
      );
    if (prefix || this.text.value) this.#openPopup(t("commands"), items);
    else this.#toggle(t("commands"), items);
  }

  #attachMenu() {
    const pick = (kind, accept) => () => {
      this.#closePopup();
      this.picker.dataset.kind = kind;
      this.picker.accept = accept;
      this.picker.click();
    };
    const item = (name, text, note, onclick) =>
      el("button", { type: "button", onclick }, icon(name), el("span", {}, text, note ? el("span.command-text", {}, ` · ${note}`) : null));
    this.#toggle(t("attach"), [
      item("note", t("upload"), "", pick("auto", "audio/*,image/*,video/*,.flac,.m4a,.opus,.ogg")),
      item("file", t("uploadFile"), "", pick("document", "")),
      item("spark", t("sample"), t("sampleAbout"), () => {
        this.#closePopup();
        this.sendSample();
      }),
    ]);
  }

  #askInline(text) {
    clearTimeout(this.inlineTimer);
    this.inlineTimer = setTimeout(async () => {
      const { query } = await act("inline", { user: this.userId, text });
      const { answer } = await act("query", { query, timeout_s: 10 });
      if (!answer) return;
      const items = answer.results.map((result) =>
        el(
          "button",
          {
            type: "button",
            onclick: () => {
              this.#closePopup();
              this.text.value = "";
              this.#onInput();
              this.#try(() => act("choose_inline", this.#say({ query, result_id: result.id })));
            },
          },
          icon(result.type === "voice" ? "mic" : "note"),
          el("span", {}, result.title ?? result.id),
        ),
      );
      if (answer.button) items.unshift(el("button", { type: "button", onclick: () => this.send(`/start ${answer.button.start_parameter ?? ""}`) }, answer.button.text));
      this.#openPopup("inline", items);
    }, 350);
  }

  /** A voice message from the microphone; a second press sends it. */
  async #record() {
    if (this.recorder) return this.recorder.stop();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const chunks = [];
      this.recorder = new MediaRecorder(stream);
      this.recorder.ondataavailable = ({ data }) => chunks.push(data);
      this.recorder.onstop = () => {
        stream.getTracks().forEach((track) => track.stop());
        this.recorder = null;
        this.micButton.replaceChildren(icon("mic"));
        this.micButton.setAttribute("aria-label", t("record"));
        this.sendFiles([new File(chunks, "voice.webm", { type: "audio/webm" })], "voice");
      };
      this.recorder.start();
      this.micButton.replaceChildren(icon("stop"));
      this.micButton.setAttribute("aria-label", t("stopRecord"));
    } catch {
      toast(t("noMic"), true);
    }
    return undefined;
  }

  #watchDrops() {
    const zone = document.querySelector(".thread");
    const sign = document.getElementById("drop");
    const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
    zone.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      sign.hidden = false;
    });
    zone.addEventListener("dragleave", (event) => {
      if (!zone.contains(event.relatedTarget)) sign.hidden = true;
    });
    zone.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      sign.hidden = true;
      this.sendFiles([...event.dataTransfer.files]);
    });
    document.addEventListener("click", (event) => {
      if (this.popup && !this.node.contains(event.target)) this.#closePopup();
    });
  }
}
