"""Generated secrets, from the operating system's random source."""

from __future__ import annotations

import base64
import math
import secrets
import string
import uuid

from homelab_mcp.model.errors import InvalidInput

_ALNUM = string.ascii_letters + string.digits


class SystemSecrets:
    """Fulfils ``ports.SecretSource``."""

    def make(self, kind: str, length: int) -> str:
        """A random value of ``length`` characters; a uuid has 36 whatever was asked.

        ``base64`` is the standard alphabet without padding. Raises InvalidInput for another kind or a length not in
        8 to 128.
        """
        if kind == "uuid":
            return str(uuid.uuid4())
        if not 8 <= length <= 128:
            raise InvalidInput(f"A secret of {length} characters is not made.", hint="Ask for 8 to 128 characters.")
        if kind == "hex":
            return secrets.token_hex(math.ceil(length / 2))[:length]
        if kind == "base64":
            return base64.b64encode(secrets.token_bytes(math.ceil(length * 3 / 4) + 3)).decode()[:length]
        if kind == "alnum":
            return "".join(secrets.choice(_ALNUM) for _ in range(length))
        raise InvalidInput(f"{kind!r} is no kind of secret.", hint="Use hex, base64, alnum or uuid.")

    def argon2(self, value: str) -> str:
        """Argon2id hash in PHC string format.

        Parameters are the defaults of Authelia's ``authentication_backend.file.password.argon2``: 64 MiB, 3
        iterations, 4 lanes, 16 bytes of salt, 32 of key.
        """
        from argon2 import PasswordHasher, Type

        hasher = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)
        return hasher.hash(value)
