"""A connection's first answers over stdio, given from what an earlier start answered, before the server is loaded."""
