"""Answers to callback and inline queries, and chat actions."""

import time

from aiogram import methods as api

from sandbox.formatting import read_text
from sandbox.limits import CHAT_ACTIONS, check_markup
from sandbox.methods import QUERY_LIFETIME_S, Desk, Query, method
from sandbox.refusals import Json, bad_request
from sandbox.requests import given, to_json

_CACHED = {
    "audio_file_id": "audio",
    "voice_file_id": "voice",
    "photo_file_id": "photo",
    "document_file_id": "document",
    "video_file_id": "video",
}


def open_query(desk: Desk, query_id: str) -> Query:
    query = desk.queries.get(query_id)
    if query is None or query.is_expired or time.time() - query.created_at > QUERY_LIFETIME_S:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    return query


@method("answerCallbackQuery")
async def answer_callback_query(desk: Desk, call: api.AnswerCallbackQuery) -> bool:
    query = open_query(desk, call.callback_query_id)
    if call.text is not None and len(call.text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    answer: Json = {"text": call.text or "", "show_alert": bool(call.show_alert), "url": call.url}
    if query.answer is None:
        query.answer = answer
        desk.world.feed.publish("callback_answer", {"query": query.id, "user": query.user_id, **answer})
    return True


@method("answerInlineQuery")
async def answer_inline_query(desk: Desk, call: api.AnswerInlineQuery) -> bool:
    query = open_query(desk, call.inline_query_id)
    if len(call.results) > 50:
        raise bad_request("RESULTS_TOO_MUCH")
    results: list[Json] = to_json(call.results)
    ids = [result["id"] for result in results]
    if len(set(ids)) != len(ids):
        raise bad_request("RESULT_ID_DUPLICATE")
    if any(not 1 <= len(result_id.encode()) <= 64 for result_id in ids):
        raise bad_request("RESULT_ID_INVALID")
    for result in results:
        _check_result(desk, result)
    for result, model in zip(results, call.results, strict=True):
        check_markup(given(model.reply_markup))
        caption = getattr(model, "caption", None)
        if caption is not None:
            plain, entities = read_text(caption, given(getattr(model, "parse_mode", None)), None)
            result |= {"caption": plain, "caption_entities": entities}
    button = to_json(call.button) if call.button else None
    query.answer = {"results": results, "button": button, "is_personal": bool(call.is_personal)}
    desk.world.feed.publish("inline_answer", {"query": query.id, "user": query.user_id, **query.answer})
    return True


def _check_result(desk: Desk, result: Json) -> None:
    for key, kind in _CACHED.items():
        if key in result:
            if desk.world.files.get(result[key]).kind != kind:
                raise bad_request("RESULT_TYPE_INVALID")
            if kind == "voice" and not result.get("title"):
                raise bad_request("RESULT_TITLE_EMPTY")
            return
    if result["type"] != "article":
        raise bad_request(f"the sandbox shows cached files and articles only, not {result['type']}")


@method("sendChatAction")
async def send_chat_action(desk: Desk, call: api.SendChatAction) -> bool:
    chat = desk.world.reachable_chat(call.chat_id)
    if call.action not in CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    desk.world.feed.publish("chat_action", {"chat": chat.id, "action": call.action})
    return True
