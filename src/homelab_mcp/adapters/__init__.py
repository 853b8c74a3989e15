"""The only code that touches the world; each module fulfils a Protocol of ``ports``."""
