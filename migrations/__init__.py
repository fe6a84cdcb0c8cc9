"""Alembic migrations, applied when the bot starts. New one: `python -m alembic revision -m "what
changes"`.
"""
