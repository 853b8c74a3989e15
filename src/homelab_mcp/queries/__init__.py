"""Read-only questions: each module asks the ports one thing and shapes the answer."""
