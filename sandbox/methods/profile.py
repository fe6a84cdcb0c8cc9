"""What the bot says about itself and asks about chats and files."""

import json
from typing import Any

from aiogram import methods as api

from sandbox.limits import check_commands
from sandbox.methods import Desk, method
from sandbox.refusals import Json, bad_request
from sandbox.requests import to_json
from sandbox.updates import Webhook
from sandbox.world import Chat

_TEXT_LIMITS = {"name": 64, "description": 512, "short_description": 120}
_RIGHTS = (
    "can_be_edited",
    "is_anonymous",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
)


@method("getMe")
async def get_me(desk: Desk, call: api.GetMe) -> Json:
    return desk.world.bot.to_json() | {
        "can_join_groups": True,
        "can_read_all_group_messages": desk.world.bot.reads_all_group_messages,
        "supports_inline_queries": True,
        "has_main_web_app": False,
    }


@method("getFile")
async def get_file(desk: Desk, call: api.GetFile) -> Json:
    return desk.world.files.describe(call.file_id)


@method("getUpdates")
async def get_updates(desk: Desk, call: api.GetUpdates) -> list[Json]:
    limit = 100 if call.limit is None else call.limit
    return await desk.updates.poll(call.offset, limit, min(call.timeout or 0, 50), call.allowed_updates)


@method("setWebhook")
async def set_webhook(desk: Desk, call: api.SetWebhook) -> bool:
    if call.url and not call.url.startswith(("http://", "https://")):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    webhook = Webhook(call.url, call.secret_token, call.max_connections or 40) if call.url else None
    drops = bool(call.drop_pending_updates)
    desk.updates.set_webhook(webhook, drops_pending=drops, allowed=call.allowed_updates)
    return True


@method("deleteWebhook")
async def delete_webhook(desk: Desk, call: api.DeleteWebhook) -> bool:
    desk.updates.set_webhook(None, drops_pending=bool(call.drop_pending_updates), allowed=None)
    return True


@method("getWebhookInfo")
async def get_webhook_info(desk: Desk, call: api.GetWebhookInfo) -> Json:
    return desk.updates.describe_webhook()


def _slot(scope: Any, language_code: str | None) -> str:
    return json.dumps([to_json(scope) if scope else {"type": "default"}, language_code or ""], sort_keys=True)


@method("setMyCommands")
async def set_my_commands(desk: Desk, call: api.SetMyCommands) -> bool:
    commands: list[Json] = to_json(call.commands)
    check_commands(commands)
    _check_language(call.language_code)
    desk.world.bot.commands[_slot(call.scope, call.language_code)] = commands
    desk.world.feed.publish("commands", {})
    return True


@method("getMyCommands")
async def get_my_commands(desk: Desk, call: api.GetMyCommands) -> list[Json]:
    return desk.world.bot.commands.get(_slot(call.scope, call.language_code), [])


@method("deleteMyCommands")
async def delete_my_commands(desk: Desk, call: api.DeleteMyCommands) -> bool:
    desk.world.bot.commands.pop(_slot(call.scope, call.language_code), None)
    desk.world.feed.publish("commands", {})
    return True


def commands_for(desk: Desk, chat: Chat, language_code: str) -> list[Json]:
    """The menu a user sees: the narrowest scope that has commands, their language before the neutral one."""
    scopes: list[Json] = [{"type": "chat", "chat_id": chat.id}]
    scopes += [
        {"type": "all_private_chats" if chat.type == "private" else "all_group_chats"},
        {"type": "default"},
    ]
    for scope in scopes:
        for language in (language_code, ""):
            found = desk.world.bot.commands.get(json.dumps([scope, language], sort_keys=True))
            if found:
                return found
    return []


def _check_language(code: str | None) -> None:
    if code and not (len(code) == 2 and code.isalpha() and code.islower()):
        raise bad_request("invalid language code specified")


def _set_text(desk: Desk, what: str, text: str | None, language_code: str | None) -> bool:
    _check_language(language_code)
    if text and len(text) > _TEXT_LIMITS[what]:
        raise bad_request(f"bot {what.replace('_', ' ')} is too long")
    desk.world.bot.texts[f"{what}/{language_code or ''}"] = text or ""
    desk.world.feed.publish("commands", {})
    return True


def text_for(desk: Desk, what: str, language_code: str) -> str:
    texts = desk.world.bot.texts
    return texts.get(f"{what}/{language_code}") or texts.get(f"{what}/", "")


@method("setMyName")
async def set_my_name(desk: Desk, call: api.SetMyName) -> bool:
    return _set_text(desk, "name", call.name, call.language_code)


@method("setMyDescription")
async def set_my_description(desk: Desk, call: api.SetMyDescription) -> bool:
    return _set_text(desk, "description", call.description, call.language_code)


@method("setMyShortDescription")
async def set_my_short_description(desk: Desk, call: api.SetMyShortDescription) -> bool:
    return _set_text(desk, "short_description", call.short_description, call.language_code)


@method("getMyName")
async def get_my_name(desk: Desk, call: api.GetMyName) -> Json:
    return {"name": text_for(desk, "name", call.language_code or "") or desk.world.bot.name}


@method("getMyDescription")
async def get_my_description(desk: Desk, call: api.GetMyDescription) -> Json:
    return {"description": text_for(desk, "description", call.language_code or "")}


@method("getMyShortDescription")
async def get_my_short_description(desk: Desk, call: api.GetMyShortDescription) -> Json:
    return {"short_description": text_for(desk, "short_description", call.language_code or "")}


@method("setChatMenuButton")
async def set_chat_menu_button(desk: Desk, call: api.SetChatMenuButton) -> bool:
    return True


@method("getChat")
async def get_chat(desk: Desk, call: api.GetChat) -> Json:
    chat = desk.world.chat(call.chat_id)
    gifts = (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    )
    about = desk.world.describe_chat(chat) | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }
    if chat.type == "private" and desk.world.people[chat.id].forbids_voice:
        about["has_restricted_voice_and_video_messages"] = True
    return about


def member(desk: Desk, chat: Chat, user_id: int) -> Json:
    """The Bot API's ChatMember of a person or of the bot itself."""
    if user_id == desk.world.bot.id:
        status, user = chat.bot_status, desk.world.bot.to_json()
    elif user_id in desk.world.people:
        user = desk.world.people[user_id].to_json()
        is_owner = chat.type != "private" and chat.member_ids[:1] == [user_id]
        status = "creator" if is_owner else "member" if user_id in chat.member_ids else "left"
    else:
        raise bad_request("user not found")
    return describe_member(user, status)


def describe_member(user: Json, status: str) -> Json:
    shown: Json = {"user": user, "status": status}
    if status == "administrator":
        shown |= dict.fromkeys(_RIGHTS, False) | {"can_manage_chat": True, "can_delete_messages": True}
    elif status == "creator":
        shown["is_anonymous"] = False
    elif status == "kicked":
        shown["until_date"] = 0
    return shown


@method("getChatMember")
async def get_chat_member(desk: Desk, call: api.GetChatMember) -> Json:
    return member(desk, desk.world.chat(call.chat_id), call.user_id)


@method("getChatMemberCount")
async def get_chat_member_count(desk: Desk, call: api.GetChatMemberCount) -> int:
    return len(desk.world.chat(call.chat_id).member_ids) + 1


@method("getChatAdministrators")
async def get_chat_administrators(desk: Desk, call: api.GetChatAdministrators) -> list[Json]:
    chat = desk.world.chat(call.chat_id)
    if chat.type == "private":
        raise bad_request("there are no administrators in the private chat")
    people = [member(desk, chat, user_id) for user_id in (*chat.member_ids, desk.world.bot.id)]
    return [one for one in people if one["status"] in {"creator", "administrator"}]


@method("leaveChat")
async def leave_chat(desk: Desk, call: api.LeaveChat) -> bool:
    chat = desk.world.reachable_chat(call.chat_id)
    if chat.type == "private":
        raise bad_request("chat member status can't be changed in private chats")
    chat.bot_status = "left"
    desk.world.feed.publish("chat", {"chat": chat.id})
    return True


@method("close")
async def close(desk: Desk, call: api.Close) -> bool:
    return True


@method("logOut")
async def log_out(desk: Desk, call: api.LogOut) -> bool:
    return True
