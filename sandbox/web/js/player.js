// Sound: voice notes with a waveform, tracks with a cover. One plays at a time.

import { clock, el, icon } from "./dom.js";
import { fileUrl } from "./api.js";
import { t } from "./words.js";

const BARS = 52;
const peaks = new Map(); // file_unique_id -> Promise of BARS numbers in 0..1
const players = new Map(); // "chat/message" -> {fileId, node, play(seconds), duration(), redraw()}
let playing = null;

/** Loudness over time of a whole file, decoded by the browser. */
async function readPeaks(fileId) {
  const response = await fetch(fileUrl(fileId));
  if (!response.ok) throw new Error("no content");
  const context = new OfflineAudioContext(1, 1, 8000);
  const sound = await context.decodeAudioData(await response.arrayBuffer());
  const samples = sound.getChannelData(0);
  const size = Math.max(1, Math.floor(samples.length / BARS));
  const loud = Array.from({ length: BARS }, (_, bar) => {
    let sum = 0;
    for (let i = bar * size; i < Math.min((bar + 1) * size, samples.length); i += 1) sum += samples[i] ** 2;
    return Math.sqrt(sum / size);
  });
  const [low, high] = [Math.min(...loud), Math.max(...loud, 1e-4)];
  // The span between the quietest and the loudest bar fills the height: mastered music would be a block otherwise.
  const floor = low * 0.92;
  return loud.map((value) => 0.16 + (0.84 * (value - floor)) / (high - floor || 1));
}

function bars(values) {
  const step = 240 / BARS;
  return values
    .map((value, i) => {
      const half = Math.max(0.6, Math.min(1, value) * 11.5);
      const x = (i + 0.5) * step;
      return `M${x.toFixed(1)} ${(13 - half).toFixed(1)}V${(13 + half).toFixed(1)}`;
    })
    .join("");
}

function waveform(media) {
  const holder = document.createElement("template");
  const flat = bars(Array(BARS).fill(0.06));
  holder.innerHTML = `<svg viewBox="0 0 240 26" preserveAspectRatio="none" aria-hidden="true"><path class="rest" d="${flat}"/></svg><svg class="done" viewBox="0 0 240 26" preserveAspectRatio="none" aria-hidden="true"><path d="${flat}"/></svg>`;
  const wave = el("div.wave", {}, [...holder.content.children]);
  if (!peaks.has(media.file_unique_id)) peaks.set(media.file_unique_id, readPeaks(media.file_id));
  peaks.get(media.file_unique_id).then(
    (values) => {
      for (const path of wave.querySelectorAll("path")) path.setAttribute("d", bars(values));
      wave.dataset.drawn = "true";
    },
    () => peaks.delete(media.file_unique_id),
  );
  return wave;
}

/** The sound of a message: its `audio` element and what drives it. Drawn again, it is the same one and plays on. */
export function soundPlayer(key, kind, media) {
  const known = players.get(key);
  if (known?.fileId === media.file_id) {
    known.redraw();
    return known.node;
  }
  const audio = el("audio", { preload: "metadata", src: fileUrl(media.file_id), dataset: { kind } });
  const duration = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : (media.duration ?? 0));
  const button = el("button.play", { type: "button", "aria-label": t("play") }, icon("play"));
  const seek = el("input", { type: "range", min: "0", max: "1000", value: "0", step: "1", "aria-label": t("position") });
  const time = el("span.clock", {}, clock(media.duration));
  const isVoice = kind === "voice";
  const node = el("div.player", { class: kind }, button);
  if (isVoice) {
    const wave = waveform(media);
    wave.append(seek);
    node.append(el("div", {}, wave, time));
  } else {
    if (media.thumbnail) button.prepend(el("img", { src: fileUrl(media.thumbnail.file_id), alt: "" }));
    seek.className = "track-seek";
    const title = media.title ?? media.file_name ?? t("audio");
    const by = el("div.track-by", {}, media.performer ? `${media.performer} · ` : "", time);
    node.append(el("div", {}, el("div.track-title", { title }, title), by, seek));
  }
  node.append(audio);

  const draw = () => {
    const share = duration() ? audio.currentTime / duration() : 0;
    node.style.setProperty("--played", `${(share * 100).toFixed(2)}%`);
    seek.value = String(Math.round(share * 1000));
    seek.setAttribute("aria-valuetext", `${clock(audio.currentTime)} / ${clock(duration())}`);
    const isFresh = audio.paused && audio.currentTime === 0;
    time.textContent = isFresh ? clock(duration()) : `${clock(audio.currentTime)} / ${clock(duration())}`;
  };
  const showState = () => {
    button.querySelector("svg").replaceWith(icon(audio.paused ? "play" : "pause"));
    button.setAttribute("aria-label", audio.paused ? t("play") : t("pause"));
    draw();
  };
  const play = (seconds) => {
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    if (seconds !== undefined) audio.currentTime = seconds;
    audio.play().catch(() => {});
  };
  button.addEventListener("click", () => (audio.paused ? play() : audio.pause()));
  seek.addEventListener("input", () => {
    audio.currentTime = (Number(seek.value) / 1000) * duration();
    draw();
  });
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, showState);
  for (const name of ["timeupdate", "loadedmetadata", "seeked"]) audio.addEventListener(name, draw);
  audio.addEventListener("ended", () => (audio.currentTime = 0));
  players.set(key, { fileId: media.file_id, node, play, duration, redraw: showState });
  return node;
}

/** What plays message `key` from a second on, null when it has no sound that long. */
export function seekTo(key, seconds) {
  const player = players.get(key);
  return player && seconds <= player.duration() ? () => player.play(seconds) : null;
}
