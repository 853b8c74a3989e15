"""Operations: pure functions from a snapshot and a request to a Draft.

One module a capability, imported by name so that a start-up pays only for what it uses:

* ``add_service.add_service(snapshot, settings, request, *, find, secrets, argon2, root, read) -> Draft``
* ``remove_service.remove_service(snapshot, settings, request, *, find) -> Draft``
* ``set_env.set_env(snapshot, request, *, find) -> Draft``
* ``fix.fix(snapshot, request, *, settings, facts) -> Draft``

where ``request`` is an ``AddServiceRequest``, ``RemoveServiceRequest``, ``SetEnvRequest`` or ``FixRequest`` of
``request``;
``find(id_or_alias)`` gives a ``ServiceDefinition`` and raises NotFound; ``secrets(kind, length)`` and
``argon2(value)`` are a ``SecretSource``'s two methods; ``root`` is the lab's absolute path; ``read(path)`` gives the
text of a file of the lab, or None.

They raise InvalidInput, NotFound and EditRefused, and touch nothing.
"""
