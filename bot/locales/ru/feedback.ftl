# Что слушатели и команда говорят друг другу.
command-feedback = написать команде
feedback-start =
    Напишите команде что угодно: что понравилось, что сломалось, чего не хватает. Текст, картинка, голосовое или файл — сколько нужно.

    Читает человек, ответ придёт прямо сюда.
feedback-button-cancel = ✖️ Отмена
feedback-button-contact = 📮 Оставить контакт
feedback-button-done = ✅ Это всё
feedback-taken = Записал под № { $thread }, передаю команде. Скажу здесь, когда дойдёт. Хотите добавить? Просто пришлите.
feedback-delivered = Команда получила, № { $thread }. Ответ придёт прямо сюда. Хотите добавить? Просто пришлите.
feedback-ask-contact = Как с вами связаться вне Telegram? Почта или телефон одним сообщением. /cancel — если не хочется; /forget потом всё сотрёт.
feedback-ended = Спасибо! Написанное осталось у команды.
feedback-cancelled = Хорошо, ничего не отправлено.
feedback-over = Этот разговор окончен. /feedback начнёт новый.
refused-too-many-letters = { $limit ->
    [one] Уже { $limit } сообщение за час: команде нужно время, чтобы прочесть. Пришлите остальное чуть позже.
    [few] Уже { $limit } сообщения за час: команде нужно время, чтобы прочесть. Пришлите остальное чуть позже.
   *[many] Уже { $limit } сообщений за час: команде нужно время, чтобы прочесть. Пришлите остальное чуть позже.
}
letter-from-team = 💬 <b>Отвечает команда:</b>
letter-to-team = 📨 <b>№ { $thread }</b> · <a href="tg://user?id={ $user }">{ $name }</a> { $username } · <code>{ $user }</code>
letter-erased = Стёрто по желанию автора.
letter-lost = Ответ не дошёл: пользователь заблокировал бота или удалился.
erased-feedback-threads = { $n ->
    [one] { $n } обращение к команде и контакт, если он был
    [few] { $n } обращения к команде и контакты, если они были
   *[many] { $n } обращений к команде и контакты, если они были
}
erased-feedback-letters = { $n ->
    [one] { $n } сообщение между вами и командой
    [few] { $n } сообщения между вами и командой
   *[many] { $n } сообщений между вами и командой
}
erased-conversations = незаконченный разговор

# Чат команды.
team-button-close = ✓ Готово
team-button-done = ✓ { $thread }
team-closed = № { $thread } закрыт.
team-closed-before = № { $thread } уже был закрыт.
team-none-open = Никто не ждёт ответа. 🌿
team-open = { $n ->
    [one] <b>{ $n } обращение ждёт:</b>
    [few] <b>{ $n } обращения ждут:</b>
   *[many] <b>{ $n } обращений ждут:</b>
}
    { $lines }
team-thread = <b>{ $thread }</b> · { $day } · { $name }: { $words }
team-no-words = (без слов)
team-help =
    Ответьте на письмо, и пользователь получит ваш ответ, что бы вы ни прислали.
    /feedbacks: кто ждёт ответа
    /stats: последние 30 дней
    /broadcast ответом на сообщение: разослать его всем, после предпросмотра
    /ban и /unban с номером пользователя или ответом на его письмо
ban-whom = Кого? /{ $command } с номером пользователя или ответом на его письмо.
banned = { $user } заблокирован: бот ему больше не отвечает. /unban { $user } вернёт всё назад.
unbanned = { $user } больше не заблокирован.
stats-title = Запросов в день
stats-answered = с ответом
stats-failed = не удалось
stats-users = Пользователей: <b>{ $users }</b>, за неделю заходили { $week }
stats-jobs = За 30 дней отвечено на <b>{ $month }</b>, сегодня на { $today }, не удалось { $failed }
stats-latency = От трека до ответа: медиана { $median } с, p95 { $p95 } с
stats-failure = · { $code }: { $n }
stats-thumbs = Модель { $version }: 👍 { $up } 👎 { $down } ({ $share } %), сдвинуто { $moved }
broadcast-how = Сначала напишите сообщение здесь, потом ответьте на него командой /broadcast. Перед отправкой будет предпросмотр.
broadcast-preview = Вот как это будет выглядеть:
broadcast-sure = { $n ->
    [one] Отправить { $n } человеку? Займёт около { $minutes } мин.
   *[other] Отправить { $n } людям? Займёт около { $minutes } мин.
}
broadcast-button-send = 📣 Отправить
broadcast-button-cancel = ✖️ Отмена
broadcast-button-stop = ⏹ Стоп
broadcast-progress = Рассылаю… получили { $sent }, заблокировали бота { $blocked }, не удалось { $failed }.
broadcast-done = Готово: получили { $sent }, заблокировали бота { $blocked }, не удалось { $failed }.
broadcast-cancelled = Отменено. Кто уже получил, тот получил.
broadcast-over = Это уже отправлено или отменено.
