"""Services that no catalog entry describes: one by one from options, or from somebody's compose text or command line.

* ``docker_run``: a ``docker run`` command line to the keys of a compose service.
* ``compose_text``: a compose text to the same, with what its other files bring.
* ``normalise``: those to the lab's conventions, with what was changed and what could not be carried over.
* ``custom``: options to a ``ServiceDefinition`` that goes through the generator like the catalog's.
"""
