"""What runs inside FederatedScope's own interpreter: Python 3.8 or newer, nothing but FederatedScope's dependencies."""
