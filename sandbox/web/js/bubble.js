// One message as a bubble.

import { clock, el, icon, showAlert, showPicture, toast } from "./dom.js";
import { act, fileUrl } from "./api.js";
import { renderText } from "./formatting.js";
import { seekTo, soundPlayer } from "./player.js";
import { language, t } from "./words.js";

const REACTIONS = ["👍", "👎", "❤", "🔥", "🎉", "🤔"];
const keyOf = (chatId, id) => `${chatId}/${id}`;

export const timeOf = (message) =>
  new Date(message.date * 1000).toLocaleTimeString(language(), { hour: "2-digit", minute: "2-digit", hour12: false });

/** A message in a few words, for quotes and the chat list. */
export function summary(message) {
  const words = [
    ["voice", t("voice")], ["video_note", t("videoNote")], ["photo", t("photo")], ["video", t("video")],
    ["sticker", t("sticker")], ["contact", t("contact")],
  ];
  const audio = message.audio && [message.audio.performer, message.audio.title ?? message.audio.file_name].filter(Boolean).join(" – ");
  const kind = words.find(([key]) => message[key])?.[1] ?? (audio || message.document?.file_name);
  const text = message.text ?? message.caption;
  return [kind, text].filter(Boolean).join(", ") || "…";
}

/**
 * @param view {store, chat, userId, onReply(stored), onJump(id), send(text), query(text)}
 */
export function renderMessage(stored, view, { isJoined, isLast, showsSender }) {
  const { message } = stored;
  const isOwn = message.from.id === view.userId;
  const node = el("article.message", {
    id: `m-${message.message_id}`,
    class: [isOwn && "is-own", isJoined && "is-joined", isLast && "is-last"].filter(Boolean).join(" "),
    "aria-label": `${isOwn ? t("you") : message.from.first_name}, ${timeOf(message)}: ${summary(message)}`,
    dataset: { message: message.message_id, from: message.from.is_bot ? "bot" : "user" },
  });
  const bubble = el("div.bubble", {});
  if (showsSender) bubble.append(el("div.sender", {}, message.from.first_name));
  if (message.forward_origin) bubble.append(el("div.forwarded", {}, `${t("forwarded")} ${originName(message.forward_origin)}`));
  if (message.via_bot) bubble.append(el("div.forwarded", {}, `${t("viaBot")} @${message.via_bot.username}`));
  if (message.reply_to_message) bubble.append(quote(message.reply_to_message, view));
  bubble.append(...media(message, view));
  const text = message.text ?? message.caption;
  if (text) bubble.append(body(message, text, view));
  const reactions = reactionRow(stored, view);
  bubble.append(reactions ? el("div.foot", {}, reactions, meta(stored, isOwn)) : meta(stored, isOwn));
  node.append(bubble);
  const rows = message.reply_markup?.inline_keyboard;
  if (rows) node.append(keyboard(rows, message, view));
  node.append(tools(stored, view));
  return node;
}

const originName = (origin) =>
  origin.sender_user_name ?? [origin.sender_user?.first_name, origin.sender_user?.last_name].filter(Boolean).join(" ");

function quote(original, view) {
  return el(
    "button.quote",
    { type: "button", title: t("jump"), onclick: () => view.onJump(original.message_id) },
    el("b", {}, original.from.id === view.userId ? t("you") : original.from.first_name),
    el("span", {}, summary(original)),
  );
}

function body(message, text, view) {
  const chatId = view.chat.id;
  const seekable = (seconds) => {
    const own = seekTo(keyOf(chatId, message.message_id), seconds);
    if (own) return own;
    const replied = message.reply_to_message;
    return replied ? seekTo(keyOf(chatId, replied.message_id), seconds) : null;
  };
  const entities = message.entities ?? message.caption_entities;
  return el("div.body", {}, renderText(text, entities, { onCommand: view.send, seekable }));
}

function media(message, view) {
  const key = keyOf(view.chat.id, message.message_id);
  if (message.voice) return [soundPlayer(key, "voice", message.voice)];
  if (message.audio) return [soundPlayer(key, "audio", message.audio)];
  if (message.photo) {
    const source = fileUrl(message.photo.at(-1).file_id);
    const alt = message.caption ?? t("photo");
    const image = el("img", { src: source, alt, loading: "lazy", width: String(message.photo.at(-1).width), height: String(message.photo.at(-1).height) });
    return [el("button.picture", { type: "button", onclick: () => showPicture(source, alt) }, image)];
  }
  if (message.video || message.video_note) {
    const film = message.video ?? message.video_note;
    return [el("video.film", { src: fileUrl(film.file_id), controls: true, preload: "metadata" })];
  }
  if (message.document) {
    const { document: file } = message;
    const size = file.file_size ? ` · ${(file.file_size / 1e6).toFixed(1)} MB` : "";
    return [
      el(
        "a.paper",
        { href: fileUrl(file.file_id), download: file.file_name ?? "file" },
        el("span.play", {}, icon("file")),
        el("span", {}, el("span.track-title", {}, file.file_name ?? t("file")), el("span.track-by", {}, size)),
      ),
    ];
  }
  if (message.sticker) return [el("div.sticker", {}, message.sticker.emoji ?? "🎵")];
  if (message.contact) {
    const { contact } = message;
    return [el("div.paper", {}, el("span.play", {}, icon("smile")), el("span", {}, el("b", {}, contact.first_name), el("br"), contact.phone_number))];
  }
  return [];
}

/** Whether the words changed: a new keyboard alone is no edit to a reader. */
const isEdited = ({ message, versions }) =>
  (versions ?? []).some((old) => old.text !== message.text || old.caption !== message.caption);

function meta(stored, isOwn) {
  const { message } = stored;
  const ticks = document.createElement("template");
  ticks.innerHTML = '<svg viewBox="0 0 16 12" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.500" stroke-linecap="round" stroke-linejoin="round"><path d="m1.500 6.500 3 3 5.500-7M7 8.800l.8.700 5.500-7"/></svg>';
  const when = new Date(message.date * 1000);
  return el(
    "span.meta",
    {},
    isEdited(stored) ? t("edited") : null,
    el("time", { datetime: when.toISOString() }, timeOf(message)),
    isOwn ? ticks.content.firstChild : null,
  );
}

function reactionRow(stored, view) {
  const botId = view.store.state.bot.id;
  const given = Object.entries(stored.reactions).flatMap(([actor, list]) => list.map(({ emoji }) => [Number(actor), emoji]));
  if (!given.length) return null;
  return el(
    "div.reactions",
    {},
    given.map(([actor, emoji]) => {
      const isMine = actor === view.userId;
      return el(
        `button${actor === botId ? ".from-bot" : ""}`,
        { type: "button", "aria-pressed": String(isMine), onclick: () => react(stored, view, isMine ? null : emoji) },
        emoji,
      );
    }),
  );
}

const react = (stored, view, emoji) =>
  act("react", { user: view.userId, chat: view.chat.id, message_id: stored.message.message_id, emoji });

function keyboard(rows, message, view) {
  return el("div.keys", {}, rows.map((row) => el("div.keys-row", {}, row.map((button) => key(button, message, view)))));
}

function key(button, message, view) {
  const style = button.style ? `style-${button.style}` : "";
  if (button.url) return el("a", { href: button.url, target: "_blank", rel: "noreferrer noopener", class: style }, `${button.text} ↗`);
  const node = el("button", { type: "button", class: style, disabled: Boolean(button.disabled) }, button.text);
  node.addEventListener("click", async () => {
    if (button.copy_text) {
      await navigator.clipboard.writeText(button.copy_text.text);
      return toast(t("copied"));
    }
    const inline = button.switch_inline_query_current_chat ?? button.switch_inline_query;
    if (inline !== undefined) return view.query(inline);
    node.classList.add("is-waiting");
    setTimeout(() => node.classList.remove("is-waiting"), 30000);
    try {
      const say = { user: view.userId, chat: view.chat.id, message_id: message.message_id, data: button.callback_data };
      const { query } = await act("press", say);
      const answer = await view.store.answerTo(query);
      if (answer.text) (answer.show_alert ? showAlert : toast)(answer.text);
    } catch (error) {
      toast(error.message, true);
    } finally {
      node.classList.remove("is-waiting");
    }
  });
  return node;
}

function tools(stored, view) {
  const reply = el("button", { type: "button", "aria-label": t("reply"), title: t("reply"), onclick: () => view.onReply(stored) }, icon("reply"));
  const smile = el("button.optional", { type: "button", "aria-label": t("react"), title: t("react") }, icon("smile"));
  const box = el("div.tools", {}, reply, smile);
  smile.addEventListener("click", () => {
    const row = REACTIONS.map((emoji) =>
      el("button", { type: "button", "aria-label": emoji, onclick: () => react(stored, view, emoji) }, emoji),
    );
    box.replaceChildren(...row);
    row[0].focus();
  });
  return box;
}

export { clock };
