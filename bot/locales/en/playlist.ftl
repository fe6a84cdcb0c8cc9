# Mixes.
command-playlist = several tracks as one mix
stage-mixing = Mixing…
mix-too-few-tracks = Send me at least two tracks first, then /playlist makes one mix of their best moments.
mix-too-few-chosen = A mix needs at least two tracks.
mix-too-many-tracks = A mix holds up to 50 tracks.
mix-over = This mix is finished or was cancelled. /playlist begins a new one.
mix-in-private = Mixes are made in our own chat: send me /playlist there.
mix-choose =
    🎛 <b>Which tracks go into the mix?</b>
    { $n ->
        [one] { $n } chosen
       *[other] { $n } chosen
    } · page { $page } of { $pages }
mix-button-since = All since my last mix
mix-button-none = None
mix-button-next = Next ▸ ({ $n })
mix-button-back = ◂ Tracks
mix-button-make = 🎚 Make it
mix-button-cancel = ✖️
mix-order-tempo = Tempo
mix-order-smooth = Tempo + key
mix-order-sent = As sent
mix-crossfade-beats = On the beat
mix-crossfade-plain = Plain fade
mix-crossfade-off = No fade
mix-planning = Working out order and transitions…
mix-planned =
    🎛 <b>{ $n ->
        [one] { $n } track
       *[other] { $n } tracks
    }, { $total }</b>

    { $lines }
mix-line = { $time } { $name }{ $facts }
mix-nothing-left = I could not read enough of these tracks to make a mix. Please send them again and start over with /playlist.
mix-preview-coming = The transition is on its way.
mix-preview-title = Transition { $first } → { $second }
mix-joint-beats = On the beat, bars in step, the bass handed over in the middle.
mix-joint-plain = A plain fade: these two have no pulse in common.
mix-joint-cut = One after the other.
mix-making-begins = Making the mix…
mix-making-listening = Listening to track { $n } of { $of }…
mix-making-fetching = Getting track { $n } of { $of }…
mix-making-mixing = Mixing… { $percent } %
mix-making = The mix is being made.
mix-done = The mix is ready. ⤵️
mix-cancelled = The mix was cancelled. /playlist begins a new one.
mix-title = Mix of { $day }
mix-performer = Audio Highlight
mix-caption = 🎚 <b>{ $n ->
        [one] { $n } track
       *[other] { $n } tracks
    }, { $total }</b>
mix-left-out = { $n ->
    [one] { $n } track could not be read and is not in it.
   *[other] { $n } tracks could not be read and are not in it.
}
erased-mixes = { $n ->
    [one] { $n } mix
   *[other] { $n } mixes
}
