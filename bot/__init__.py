"""The Telegram bot. How to add to it, in the patterns that are already here:

*A handler*: one module in `handlers/` with `build_router()`, put into the list in `handlers/__init__.py`.
Parse the update, call one service, answer; about 15 lines. What it needs comes as arguments by name:
`listener` (who speaks, their language and settings), `i18n`, `texts`, `jobs`, `worker`, `sender`, `database`,
`settings`, `notify` (workflow data, set in `app.py`: add a new service there). Just `await
message.answer(...)`: the sender throttles, repeats what may be repeated, and writes down what arrived. Raise
`RequestRefused` for a "no" with a reason; it becomes a sentence in `handlers/errors.py`. A handler may run
twice for one update (see `polling.py`): make it safe.

Conversations go above `tracks` in the list. Buttons: a `CallbackData` class and a keyboard in a module
like `keyboards.py`; the data names an action, never somebody's row: what it acts on follows from the message
or from who presses.

*A text*: a key in `locales/en/<room>.ftl` and `locales/ru/<room>.ftl` (a test compares them). In a handler
`i18n.get("key", name=...)`, elsewhere `texts.get(locale, "key", name=...)`. Arguments are escaped for HTML;
names from users go through `clean_name` first. Plurals with Fluent's selectors.

*A job kind*, for anything that takes time or must be answered exactly once: a member of `JobKind`, a class
with `lane`, `prepare` and `confirm` (`services/recipes.py`; `services/highlights.py` is the model),
registered in `app.py`. Submit with `jobs.submit(JobRequest(kind=..., options=<short key>, payload=<JSON>))`:
unique on chat, message, kind and options. `prepare` does the work in `desk.folder`, tells its stages and
returns the one message (an aiogram method, unsent, with `reply_to(job)`); queue, retries, time limits,
apologies, delivery, restart are the worker's. Media always go out through a job: `services/delivery.py` finds
interrupted ones by elimination. What is to be tidied up in the chat afterwards goes into `desk.afterwards`.

*CPU work*: a top-level function in `services/audio_tasks.py` (audio imports inside it), run with `await
pool.run(function, path, ..., timeout_s=...)`. Nothing of numpy or librosa is imported in the bot's process.

*Storage*: a table with a `user_id` is emptied by /forget on its own (`db/erasing.py`); give it a sentence
`erased-<table>`. Rows in `db/models.py`, queries as functions of a session in a module of `db/` that return
dataclasses of `domain.py`. `async with database.read()/write() as session`: short, never across a download, a
send or the pool. Migration: `python -m alembic revision --autogenerate --rev-id 0002 -m feedback`, then read
what it wrote; it needs a real downgrade and runs on SQLite and PostgreSQL (`with op.batch_alter_table(...)`
for changes to tables).

*A test*: `tests/bot/conftest.py` has `app` (the real App, its fake `pool`) and `sandbox` (plays the users
over HTTP).
"""
