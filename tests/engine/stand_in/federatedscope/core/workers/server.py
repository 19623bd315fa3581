"""Evaluations count rounds from 0: self.state - 1 if msg_type is that of an evaluation."""
