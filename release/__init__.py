"""Makes what is published: wheel and source, the lock of what runs, bill of materials, bundle, man page, checksums."""
