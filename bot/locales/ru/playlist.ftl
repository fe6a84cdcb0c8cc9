# Миксы.
command-playlist = несколько треков одним миксом
stage-mixing = Свожу…
mix-too-few-tracks = Сначала пришлите хотя бы два трека, потом /playlist сведёт их лучшие моменты в один микс.
mix-too-few-chosen = Для микса нужно хотя бы два трека.
mix-too-many-tracks = В микс помещается до 50 треков.
mix-over = Этот микс готов или отменён. /playlist начнёт новый.
mix-in-private = Миксы делаются в нашем личном чате: пришлите мне /playlist там.
mix-choose =
    🎛 <b>Какие треки войдут в микс?</b>
    { $n ->
        [one] Выбран { $n }
        [few] Выбрано { $n }
       *[many] Выбрано { $n }
    } · страница { $page } из { $pages }
mix-button-since = Всё после прошлого микса
mix-button-none = Ничего
mix-button-next = Дальше ▸ ({ $n })
mix-button-back = ◂ Треки
mix-button-make = 🎚 Свести
mix-button-cancel = ✖️
mix-order-tempo = Темп
mix-order-smooth = Темп + тональность
mix-order-sent = Как прислано
mix-crossfade-beats = В долю
mix-crossfade-plain = Простой переход
mix-crossfade-off = Без перехода
mix-planning = Продумываю порядок и переходы…
mix-planned =
    🎛 <b>{ $n ->
        [one] { $n } трек
        [few] { $n } трека
       *[many] { $n } треков
    }, { $total }</b>

    { $lines }
mix-line = { $time } { $name }{ $facts }
mix-nothing-left = Прочесть удалось слишком мало треков, микс не получится. Пришлите их снова и начните с /playlist.
mix-preview-coming = Переход сейчас придёт.
mix-preview-title = Переход { $first } → { $second }
mix-joint-beats = В долю, такт в такт, бас передаётся в середине.
mix-joint-plain = Простой переход: общего пульса у этих двух нет.
mix-joint-cut = Один за другим.
mix-making-begins = Делаю микс…
mix-making-listening = Слушаю трек { $n } из { $of }…
mix-making-fetching = Получаю трек { $n } из { $of }…
mix-making-mixing = Свожу… { $percent } %
mix-making = Микс делается.
mix-done = Микс готов. ⤵️
mix-cancelled = Микс отменён. /playlist начнёт новый.
mix-title = Микс от { $day }
mix-performer = Audio Highlight
mix-caption = 🎚 <b>{ $n ->
        [one] { $n } трек
        [few] { $n } трека
       *[many] { $n } треков
    }, { $total }</b>
mix-left-out = { $n ->
    [one] { $n } трек прочесть не удалось, его в миксе нет.
    [few] { $n } трека прочесть не удалось, их в миксе нет.
   *[many] { $n } треков прочесть не удалось, их в миксе нет.
}
erased-mixes = { $n ->
    [one] { $n } микс
    [few] { $n } микса
   *[many] { $n } миксов
}
