"""What the bot does, whoever asks: the queue, the work, the answers. Services open their own short
sessions.
"""
