# The core's sentences. Each room adds a file of its own beside this one.
unnamed-track = Your track
tempo = { $bpm } BPM
key-major = { $note } major
key-minor = { $note } minor
note-c = C
note-c-sharp = C#
note-d = D
note-eb = Eb
note-e = E
note-f = F
note-f-sharp = F#
note-g = G
note-ab = Ab
note-a = A
note-bb = Bb
note-b = B
sure = Quite sure this is the moment.
fairly-sure = Fairly sure this is the moment.
unsure = No clear highlight here, so this is the part with the most going on.
voice-off = Voice messages are switched off here, so this comes as audio.

stage-waiting = { $place ->
    [1] Your track is next.
   *[other] You are number { $place } in the queue.
}
stage-downloading = Getting your track…
stage-listening = Listening…
stage-cutting = Cutting the best part…
stage-sending = Sending…
stage-others = { $others ->
    [one] 1 more track after it.
   *[other] { $others } more tracks after it.
}

rejected-not-audio = I can't find any sound in this file. Send a track as MP3, M4A, OGG, FLAC or WAV.
rejected-no-audio-stream = There is no sound track in this file. Send one that has music in it.
rejected-damaged = This file is damaged and I can't play it. Please send it again, or another copy.
rejected-empty = This file is empty: there is no sound in it. Please send another copy.
rejected-too-short = This is too short to have a highlight. Send a longer piece, a few seconds at least.
rejected-too-long = I can listen to { $limit_min } minutes at most, and this is longer. Please send a shorter part of it.
rejected-too-big = I can download { $limit_mb } MB at most, and this file is bigger. Send it as MP3, or a shorter part of it.
rejected-silent = I hear only silence here. Please check the file and send it again.
rejected-too-slow = This file took too long to work on, so I stopped. Try it as an MP3, or a shorter part.

refused-file-too-big = This file is over { $limit_mb } MB, the most that Telegram lets me download. Send it as MP3, or a shorter part of it.
refused-track-too-long = This is over { $limit_min } minutes, more than I can listen to. Please send a shorter part of it.
refused-queue-full = There is a lot to do right now. Please try again in a few minutes.
refused-user-queue-full = { $limit ->
    [one] I'm still working on your track. Send the next one when it is done.
   *[other] I'm still working on { $limit } of your tracks. Send more when some are done.
}
slow-down = That's a lot at once! I'll answer again in a minute.
apology = Something went wrong on my side, sorry. Please send the track again; if it keeps happening, mention the number { $incident }.
storage-trouble = I have trouble with my storage just now. Your message is not lost: I will get to it as soon as I can write again, no need to send it twice.
