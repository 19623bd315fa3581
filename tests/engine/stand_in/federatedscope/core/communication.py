"""How it is sent where all workers are in one process."""


class StandaloneCommManager:
    def __init__(self):
        self.queue = []

    def send(self, message):
        self.queue.append(message)
