"""Play the users of the bot: the control client for tests, the demonstration and scripts.

    async with SandboxClient(url) as sandbox:
        await sandbox.wait_for_polling()
        track = await sandbox.send_audio(Path("song.mp3"))
        voice = await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == track.message_id)
        answer = await sandbox.press(voice, "30 s")

Without `user` the listener acts; without `chat` it is the user's private chat with the bot. The team member
writes in the admin chat: `user=TEAM_ID, chat=ADMIN_CHAT_ID`.
"""

from sandbox.playing import Playing
from sandbox.refusals import ActionError
from sandbox.views import Answer, Button, CallView, MessageView
from sandbox.watching import Watching
from sandbox.world import ADMIN_CHAT_ID, FRIEND_ID, GROUP_CHAT_ID, LISTENER_ID, TEAM_ID

__all__ = [
    "ADMIN_CHAT_ID",
    "FRIEND_ID",
    "GROUP_CHAT_ID",
    "LISTENER_ID",
    "TEAM_ID",
    "ActionError",
    "Answer",
    "Button",
    "CallView",
    "MessageView",
    "SandboxClient",
]


class SandboxClient(Playing, Watching):
    """Plays and watches: `sandbox.playing` and `sandbox.watching` list the methods."""
