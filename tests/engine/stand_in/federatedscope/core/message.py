"""What is sent."""

import base64
import pickle


def b64serializer(content):
    return base64.b64encode(pickle.dumps(content))


class Message:
    def __init__(self, msg_type, sender, receiver, state, content=None):
        self.msg_type, self.sender, self.receiver, self.state = msg_type, sender, receiver, state
        self.content, self.timestamp = content, 0

    def count_bytes(self):
        return len(repr(self.content)), 0
