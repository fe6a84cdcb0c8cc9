# What a listener meets: commands, buttons under a highlight, lists, settings.
start =
    Hi, { $name }! Send me a track and I'll find the part worth hearing and send it back as a voice message.

    Audio, a voice message, a video, a music file or a whole album will do. In a group, reply to a track with /highlight.

    /help shows what else I can do.
help =
    Send a track: audio, a voice message, a video, a file or an album of up to 10. You get its best { $length } seconds back.

    <b>Under the answer</b>
    ⏪ ⏩ move it by one bar, ✨ tries the next best moment, 15 / 30 / 60 s changes its length. 📈 draws how interesting each moment is, 🎵 gives you an MP3, ➕ puts it aside for a mix. 👍 👎 teach me.

    <b>Commands</b>
    /highlight as a reply to a track: its highlight; /highlight 15 for 15 seconds
    /playlist: several tracks as one mix
    /history: your highlights again
    /settings: length, voice or audio, language
    /feedback: tell the team what you think
    /cancel: stop what I am working on
    /privacy: what I keep; /forget erases it

    In a group I answer only to commands and to my name. In any chat, type my name and a title to send one of your highlights.

bot-description =
    Send me a track and I'll send back its best 30 seconds as a voice message.

    Audio, voice, video, files and whole albums. Move the moment by bars, change its length, see the curve, get an MP3.
bot-short-description = A track in, its best moment back as a voice message.
command-start = Say hello
command-help = What I can do
command-highlight = Reply to a track: its best moment
command-history = Your highlights again
command-settings = Length, voice or audio, language
command-language = English or Russian
command-cancel = Stop what is in work
command-privacy = What is kept about you
command-forget = Erase everything about you

button-earlier = ⏪ Earlier
button-later = Later ⏩
button-next = ✨ Next best
button-curve = 📈 Curve
button-mp3 = 🎵 MP3
button-add = ➕ Add to mix
button-drop = ✓ In your mix
button-like = 👍
button-dislike = 👎
button-liked = 👍 ✓
button-disliked = 👎 ✓
button-length = { $length } s
button-length-chosen = ✓ { $length } s
button-as-voice = Voice message
button-as-audio = Audio file
button-forget = Erase everything
button-keep = Keep it

moved-window = Moved to where you wanted it.
other-moment = Number { $rank } of its best moments.
stage-drawing = Drawing the curve…
curve-caption = How interesting each moment is. Shaded: this highlight; the numbered lines below: other good moments.
curve-caption-alone = How interesting each moment is. Shaded: this highlight.

cutting-again = Cutting…
making-mp3 = Making the MP3…
drawing-curve = Drawing…
same-length = It is { $length ->
    [one] { $length } second
   *[other] { $length } seconds
} already.
already-there = That one is in the chat already, a little below.
liked = Thank you! I'll remember that this was the moment.
disliked = Thank you, noted. Try ✨ for another moment.
unrated = Taken back.
added-to-mix = { $n ->
    [one] Added: the first track of your mix. Add more, then /playlist.
   *[other] Added: { $n } tracks wait. /playlist makes the mix.
}
dropped-from-mix = { $n ->
    [0] Taken out. Your mix is empty now.
    [one] Taken out: { $n } track is left in your mix.
   *[other] Taken out: { $n } tracks are left in your mix.
}
answer-forgotten = I no longer remember this one. Send me the track again.
answer-not-yours = This one answers somebody else. Reply to the track with /highlight to get your own.
keyboard-not-yours = These buttons are for whoever asked. Send me the command yourself.

highlight-how = Reply to a track with /highlight, or send it to me with /highlight written under it. A number sets the length: /highlight 15.
length-out-of-range = I cut from { $shortest } to { $longest } seconds. Try /highlight 30 as a reply to the track.

history = Your highlights, the latest first. Press one and I'll send it again. Page { $page } of { $pages }.
history-empty = No highlights yet. Send me a track and it will be the first.
inline-empty = Send me a track first
inline-nothing-found = Nothing with that name yet
inline-caption = <b>{ $name }</b>

settings = How should I answer? Press what you like; it counts from the next track on.
language = Which language shall we speak?
saved = Saved.

nothing-to-cancel = Nothing is in work here. Send a track whenever you like.
list-line = • { $text }
list-more = and { $n } more
cancelled =
    { $n ->
        [one] Stopped { $n } job:
       *[other] Stopped { $n } jobs:
    }
    { $names }

privacy =
    <b>What I keep</b>
    • your name and language as Telegram shows them, and your settings
    • which tracks you sent, where their highlights are, and Telegram's links to them; the audio itself is deleted as soon as the answer is sent
    • your thumbs and the windows you moved: I learn from them
    • the tracks you put aside for a mix, and your mixes
    • what you wrote to the team with /feedback, and a contact if you left one: the team reads it

    Nobody else sees any of it. /forget erases it all, also in the team's chat. Only if the team had to ban an account, its number stays.
forget-sure = Erase everything I keep about you: your highlights and history, thumbs, mix and settings? Tracks in work are stopped. This cannot be undone.
forget-kept = All right, nothing was erased.
erased = Erased:
erased-answers = { $n ->
    [one] { $n } highlight
   *[other] { $n } highlights
}
erased-jobs = { $n ->
    [one] { $n } request
   *[other] { $n } requests
}
erased-labels = { $n ->
    [one] { $n } opinion of a moment
   *[other] { $n } opinions of moments
}
erased-basket = { $n ->
    [one] { $n } track put aside for a mix
   *[other] { $n } tracks put aside for a mix
}
erased-tracks = { $n ->
    [one] what I knew of { $n } track
   *[other] what I knew of { $n } tracks
}
erased-settings = your settings
erased-profile = your name and language
erased-other = { $n ->
    [one] { $n } other record
   *[other] { $n } other records
}
erased-end = The messages in this chat are yours: delete the chat to remove them too. Send a track and we start anew.

unsupported-picture = That's a picture, and I only have ears. Send me a track: audio, voice, video or a music file.
unsupported-document = I can't play this kind of file. Send music as MP3, M4A, OGG, FLAC or WAV, or a video.
unsupported-link = I can't fetch music from links such as YouTube, Spotify or SoundCloud. Send me the track itself, as audio or as a file.
unsupported = I can't do anything with that. Send me a track: audio, voice, video or a music file.
unknown-command = I don't know this command. /help shows what I can do.
no-track = Send me a track and I'll find its best moment. /help shows what else I can do.
