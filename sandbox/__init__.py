"""A local Bot API server with a chat page: the bot's stage for newcomers, tests and demonstrations.

It speaks the Bot API over HTTP on loopback, refuses what the real server refuses, and lets users be played
through `sandbox.client`. It is no part of what runs in production.

Rooms, from the middle outwards: `refusals`, `feed` -> `files`, `probe`, `formatting` -> `world` (people,
chats, messages) -> `updates` (polling, webhook) -> `limits`, `requests` (strict reading of a call) ->
`methods` (what the bot may call) and `actions` (what a user may do) -> `bot_api`, `control`, `page` (HTTP) ->
`server`. On the other side of HTTP: `wire` -> `playing`, `watching` -> `client`; on top `testing`, `launch`,
`demo`, `browser`; `web/` is the page.
"""
