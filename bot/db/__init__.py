"""Storage. ORM rows stop here: the modules' functions take a session and return `bot.domain` dataclasses."""

from bot.db import feedback_models as feedback_models  # so that the metadata knows every table
from bot.db import fleet as fleet
from bot.db import mix_models as mix_models
