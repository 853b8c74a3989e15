"""Run a catalog service or an image once, beside the lab: nothing of the lab is changed, nothing stays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core import env_file
from homelab_mcp.core.generator import Generated, generate
from homelab_mcp.core.operations.custom_request import ImageReference
from homelab_mcp.core.operations.request import ServiceOptions, VariableName
from homelab_mcp.core.references import literal
from homelab_mcp.core.resources import Host, deploy_of, logging_of
from homelab_mcp.core.shellwords import split
from homelab_mcp.core.traefik import TRAEFIK, traefik_parts
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason
from homelab_mcp.model.trial import TRIAL_LABEL, Trial, TrialFile, TrialFolder

MOST_SECONDS = 300
Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
_KEPT = (
    "image", "user", "command", "entrypoint", "environment", "tmpfs", "shm_size", "healthcheck", "deploy", "init",
    "depends_on", "security_opt", "stop_grace_period",
)  # fmt: skip
"""What a trial's service has of its block. Ports, labels, routes, mounts and every privilege stay out."""
_LEFT_OUT = {
    "privileged": "all privileges",
    "cap_add": "capabilities",
    "devices": "devices",
    "sysctls": "kernel settings",
    "pid": "the host's processes",
    "network_mode": "another network",
}
_LAB_FOLDERS = ("${MEDIA_DIR}:", "${DOWNLOADS_DIR}:")


class TrialRequest(BaseModel):
    """What to try: a catalog ``service``, or an ``image`` (with ``command``); one of the two.

    ``environment`` are variables of the image, or of the definition; ``internet`` lets it out of its own network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Annotated[str, Field(max_length=80)] = ""
    image: ImageReference | None = None
    command: Text = ""
    environment: dict[VariableName, Text] = Field(default={}, max_length=60)
    seconds: Annotated[int, Field(ge=5, le=MOST_SECONDS)] = 60
    internet: bool = False


def trial_service(
    settings: LabSettings,
    request: TrialRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    secrets: Callable[[str, int], str],
    argon2: Callable[[str], str],
    root: str,
    host: Host | None = None,
) -> Draft:
    """A draft that runs something once and takes it away again.

    Args:
        settings: the lab's.
        request: what to try.
        find: a definition by id or alias; raises NotFound.
        secrets: makes a secret of a kind and length.
        argon2: hashes a value for a users file.
        root: the lab's absolute path; only its mark goes into labels.
        host: what limits must fit, where that is known.

    Raises:
        NotFound: no such definition.
        InvalidInput: neither or both of service and image, or values that are missing (``missing_input``).
    """
    if bool(request.service) == bool(request.image):
        raise InvalidInput("Give either a service of the catalog or an image.", code="missing_input")
    secret: tuple[str, ...] = ()
    left: list[str] = []
    if request.image:
        trial = _of_image(request, host, root)
    else:
        trial, secret, left = _of_service(settings, request, find, secrets, argon2, root, host)
    what = request.service or str(request.image)
    return Draft(
        operation="trial_service",
        summary=f"Try {what} for up to {request.seconds} s, then remove it",
        edits=(),
        actions=(EngineAction(ActionKind.TRIAL, "It is watched, told of, and taken away.", name=trial.main),),
        risks=tuple(_risks(what, request)),
        notes=(
            "A project and network of its own, no route, no published port, no folder of the host, limits on memory, "
            "processors and processes; it does not restart.",
            *left,
            "An image that is not here yet is pulled, and stays.",
        ),
        undo="Nothing is to be taken back: the trial removes itself, after a kill with the next recovery.",
        target=trial.main,
        secrets=secret,
        trial=trial,
    )


def lab_mark(root: str) -> str:
    """What marks a lab on labels, without telling where it is."""
    return hashlib.sha256(root.encode()).hexdigest()[:16]


def _of_image(request: TrialRequest, host: Host | None, root: str) -> Trial:
    name = "trial"
    block: dict[str, Any] = {
        "image": request.image,
        "command": [literal(word) for word in _words(request.command)],
        "environment": {k: literal(v) for k, v in request.environment.items()},
        "deploy": deploy_of("web", host),
        "security_opt": ["no-new-privileges:true"],
    }
    text = _compose({name: {k: v for k, v in block.items() if v}}, (), request, root)
    return Trial(name, (name,), text, seconds=request.seconds)


def _of_service(
    settings: LabSettings,
    request: TrialRequest,
    find: Callable[[str], ServiceDefinition],
    secrets: Callable[[str, int], str],
    argon2: Callable[[str], str],
    root: str,
    host: Host | None,
) -> tuple[Trial, tuple[str, ...], list[str]]:
    definition = find(request.service)
    # What only a person could give (a provider's key) is made up: enough to see whether it starts.
    asked = [*definition.variables, *(traefik_parts(settings).variables if definition.id == TRAEFIK else ())]
    made_up = {v.name: secrets("alnum", 24) for v in asked if v.secret and not v.generate and v.required}
    made = generate(
        definition,
        settings,
        ServiceOptions(variables=request.environment, vpn=False if definition.gateway else None),
        secrets=secrets,
        argon2=argon2,
        existing_env=made_up,
        root=root,
        host=host,
    )
    folders, outside = _folders(made, settings)
    trial = Trial(
        made.name,
        tuple(made.services),
        _compose({n: _kept(block) for n, block in made.services.items()}, folders, request, root),
        env_file.set_values("", {**made_up, **made.env}),
        tuple(folders),
        tuple(_files(made, settings)),
        request.seconds,
    )
    left = [f"{name}: {_LEFT_OUT[key]}" for name, b in made.services.items() for key in _LEFT_OUT if b.get(key)]
    missing = "; ".join((*left, *outside))
    told = [f"Left out, so it may not do all it does in the lab: {missing}."] if missing else []
    told += [f"Made up for it: {', '.join(made_up)}."] if made_up else []
    return trial, (*made.secrets, *made_up.values()), told


def _kept(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: block[key] for key in _KEPT if key in block}


def _compose(
    services: Mapping[str, dict[str, Any]], folders: Sequence[TrialFolder], request: TrialRequest, root: str
) -> str:
    """A compose file as JSON, which is YAML: nothing in a value can become a key.

    Folders are volumes without a name, which go with their container.
    """
    label = {TRIAL_LABEL: lab_mark(root)}
    volumes = {n: [{"type": "volume", "target": f.target} for f in folders if f.service == n] for n in services}
    whole = {
        "services": {
            name: {
                **block,
                "volumes": volumes[name],
                "labels": label,
                "restart": "no",
                "networks": ["trial"],
                "logging": logging_of(),
            }
            for name, block in services.items()
        },
        "networks": {"trial": {"internal": not request.internet, "labels": label}},
    }
    return json.dumps(whole, indent=1)


def _folders(made: Generated, settings: LabSettings) -> tuple[list[TrialFolder], list[str]]:
    """What each container finds empty, and what it would have of the host and does not get."""
    folders, outside = [], []
    for name, block in made.services.items():
        uid, gid = _owner(block, settings)
        for volume in block.get("volumes", ()):
            own = volume.startswith("./")
            if not own and not volume.startswith(_LAB_FOLDERS):
                outside.append(f"{name}: {volume.partition(':')[0]} of the host")
                continue
            target = volume.split(":")[1]
            if not any(f"./{f.path}" == volume.split(":")[0] for f in made.files):
                folders.append(TrialFolder(name, target, uid, gid))
    return folders, outside


def _files(made: Generated, settings: LabSettings) -> Iterable[TrialFile]:
    for name, block in made.services.items():
        uid, gid = _owner(block, settings)
        for volume in block.get("volumes", ()):
            if not volume.startswith("./"):
                continue
            source, target = volume.removeprefix("./").split(":")[:2]
            for file in made.files:
                if file.path == source or file.path.startswith(f"{source}/"):
                    path = target + file.path.removeprefix(source)
                    yield TrialFile(name, path, file.text, file.mode, uid, gid)


def _owner(block: Mapping[str, Any], settings: LabSettings) -> tuple[int, int]:
    user = str(block.get("user") or "0:0").replace("${PUID}", str(settings.puid)).replace("${PGID}", str(settings.pgid))
    uid, _, gid = user.partition(":")
    return (int(uid), int(gid or uid)) if uid.isdigit() and (gid or uid).isdigit() else (0, 0)


def _words(command: str) -> tuple[str, ...]:
    found = split(command)
    if found is None or found.lost:
        raise InvalidInput(
            "The command cannot be split into words.",
            hint="No shell reads it: close quotes, or give sh -c 'one; two'.",
            code="bad_value",
        )
    return found.words


def _risks(what: str, request: TrialRequest) -> Iterable[RiskReason]:
    yield RiskReason(Risk.MEDIUM, f"Runs the program of {what} on this machine, apart from the lab.")
    if request.internet:
        yield RiskReason(Risk.MEDIUM, "It may reach the internet, and what answers on the home's network.")
    if request.image and request.environment:
        shown = ", ".join(f"{k}={json.dumps(v)}" for k, v in list(request.environment.items())[:10])
        yield RiskReason(Risk.MEDIUM, f"Sets {shown}.")
    if request.command:
        yield RiskReason(Risk.MEDIUM, f"Runs {json.dumps(request.command[:300])} in it.")
