"""Message numbers as Telegram gives them."""

from sandbox.testing import RunningSandbox
from sandbox.world import FRIEND_ID, LISTENER_ID


async def test_private_chats_share_one_sequence_and_a_supergroup_has_its_own(sandbox: RunningSandbox) -> None:
    supergroup = await sandbox.add_group(-1_000_000_009_009, "Big")
    ids = [
        (await sandbox.send_text("a", user=LISTENER_ID)).message_id,
        (await sandbox.send_text("b", user=FRIEND_ID)).message_id,
        (await sandbox.send_text("c", user=LISTENER_ID)).message_id,
    ]
    assert ids == [1, 2, 3]
    assert (await sandbox.send_text("d", chat=supergroup)).message_id == 1
