"""What FederatedScope does with its options, release by release; shared by the engines."""
