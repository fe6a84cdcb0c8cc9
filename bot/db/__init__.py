"""Storage. ORM rows stop here: the modules' functions take a session and return `bot.domain` dataclasses."""
