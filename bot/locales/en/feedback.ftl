# What listeners and the team say to each other.
command-feedback = tell us what you think
feedback-start =
    Tell the team anything: what you liked, what went wrong, what you miss. Text, a picture, a voice message or a file, as many as you need.

    A person reads it, and the answer comes right here.
feedback-button-cancel = ✖️ Cancel
feedback-button-contact = 📮 Leave a contact
feedback-button-done = ✅ That's all
feedback-taken = Saved as no. { $thread } and on its way to the team. I'll say here when it has arrived. Anything to add? Just send it.
feedback-delivered = The team has it, no. { $thread }. The answer will come right here. Anything to add? Just send it.
feedback-ask-contact = How can the team reach you outside Telegram? An e-mail or a phone number in one message. /cancel if you'd rather not; /forget erases it later.
feedback-ended = Thank you! What you wrote stays with the team.
feedback-cancelled = All right, nothing was sent.
feedback-over = This is finished. /feedback starts a new one.
refused-too-many-letters = That is { $limit } messages in an hour: the team needs a moment to read. Please send more a little later.
letter-from-team = 💬 <b>The team answers:</b>
letter-to-team = 📨 <b>No. { $thread }</b> · <a href="tg://user?id={ $user }">{ $name }</a> { $username } · <code>{ $user }</code>
letter-erased = Erased at its writer's wish.
letter-lost = This answer did not arrive: the user has blocked the bot or is gone.
erased-feedback-threads = { $n ->
    [one] { $n } matter you wrote to the team about, with any contact you left
   *[other] { $n } matters you wrote to the team about, with any contact you left
}
erased-feedback-letters = { $n ->
    [one] { $n } message between you and the team
   *[other] { $n } messages between you and the team
}
erased-conversations = an unfinished conversation

# The team's chat.
team-button-close = ✓ Done
team-button-done = ✓ { $thread }
team-closed = No. { $thread } is done.
team-closed-before = No. { $thread } was done already.
team-none-open = Nothing waits for an answer. 🌿
team-open = { $n ->
    [one] <b>{ $n } matter waits:</b>
   *[other] <b>{ $n } matters wait:</b>
}
    { $lines }
team-thread = <b>{ $thread }</b> · { $day } · { $name }: { $words }
team-no-words = (no words)
team-help =
    Reply to a letter and the user gets your answer, whatever you send.
    /feedbacks: what waits for an answer
    /stats: the last 30 days
    /broadcast as a reply to a message: send it to everybody, after a preview
    /ban and /unban with a user's number, or as a reply to their letter
ban-whom = Whom? Send /{ $command } with the user's number, or as a reply to one of their letters.
banned = { $user } is banned: the bot no longer answers them. /unban { $user } takes it back.
unbanned = { $user } is no longer banned.
stats-title = Requests a day
stats-answered = answered
stats-failed = failed
stats-users = <b>{ $users }</b> users, { $week } of them here this week
stats-jobs = <b>{ $month }</b> requests answered in 30 days, { $today } today, { $failed } failed
stats-latency = Track to answer: median { $median } s, p95 { $p95 } s
stats-failure = · { $code }: { $n }
stats-thumbs = Model { $version }: 👍 { $up } 👎 { $down } ({ $share } %), moved { $moved }
broadcast-how = Write the message here first, then reply to it with /broadcast. You'll see a preview before anything is sent.
broadcast-preview = This is how it will look:
broadcast-sure = { $n ->
    [one] Send it to { $n } person? It takes about { $minutes } min.
   *[other] Send it to { $n } people? It takes about { $minutes } min.
}
broadcast-button-send = 📣 Send
broadcast-button-cancel = ✖️ Cancel
broadcast-button-stop = ⏹ Stop
broadcast-progress = Sending… { $sent } have it, { $blocked } blocked the bot, { $failed } failed.
broadcast-done = Done: { $sent } have it, { $blocked } blocked the bot, { $failed } failed.
broadcast-cancelled = Cancelled. Whoever has it already, has it.
broadcast-over = This was sent or cancelled before.
