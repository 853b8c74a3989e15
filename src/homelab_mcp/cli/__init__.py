"""The command line, on the same operations as the MCP tools. Commands import what they need when they run."""
