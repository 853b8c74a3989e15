"""What models call: each tool parses its arguments, calls a workflow or a query, and shapes the answer."""
