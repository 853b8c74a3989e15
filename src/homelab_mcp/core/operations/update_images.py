"""Several services to newer images in one plan: all pulled first, all verified, all taken back when one fails."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.change_request import UpdateServiceRequest
from homelab_mcp.core.operations.in_which_file import in_which_file
from homelab_mcp.core.operations.update_service import update_service
from homelab_mcp.core.operations.update_work import Machine
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Risk,
    RiskReason,
    Verification,
)


@dataclass(frozen=True, slots=True)
class NewImage:
    """One service's new image: another ``tag``, or the ``digest`` that its tag names by now."""

    stack: str
    service: str
    tag: str = ""
    digest: str = ""


def update_images(
    snapshot: Snapshot, settings: LabSettings, wanted: Sequence[NewImage], *, find: Callable[[str], ServiceDefinition]
) -> Draft:
    """A draft that takes these services to their new images.

    A companion of the same image goes along, and what lives in a VPN gateway's network is made anew with it. The way
    back is the former text: its tag still names the former image on this machine, as nothing pulls over it (a tag that
    moved is written with the new digest, and pulled by that).

    Raises NotFound, InvalidInput (``nothing_to_do``), EditRefused.
    """
    drafts: list[Draft] = []
    now = snapshot
    for one in wanted:
        try:
            draft = _pinned(now, one) if one.digest else _tagged(now, settings, one, find)
        except InvalidInput as error:
            if error.code != "nothing_to_do":
                raise
            # An earlier one of the same image took it along.
            continue
        drafts.append(draft)
        now = replace(now, stacks=stacks_after(now.stacks, draft.edits))
    if not drafts:
        raise InvalidInput("Nothing is to be updated.", hint="No plan is needed.", code="nothing_to_do")
    return drafts[0] if len(drafts) == 1 else _joined(drafts)


def _tagged(
    snapshot: Snapshot, settings: LabSettings, one: NewImage, find: Callable[[str], ServiceDefinition]
) -> Draft:
    request = UpdateServiceRequest(stack=one.stack, service=one.service, tag=one.tag)
    return update_service(snapshot, settings, request, find=find, machine=Machine())


def _pinned(snapshot: Snapshot, one: NewImage) -> Draft:
    stack = service_parts.stack_of(snapshot, one.stack)

    def change(seen: StackFiles, name: str) -> str:
        return _with_digest(seen, name, one.digest)[0]

    place = in_which_file(stack, one.service, change, snapshot.stacks)
    seen = place.whole if place else stack
    text, mine, image = _with_digest(seen, one.service, one.digest)
    services = service_parts.services_in(seen, one.service)
    edit = (
        FileEdit(place.path, place.before, place.after)
        if place
        else FileEdit(stack.compose_path, stack.compose_text, text)
    )
    if edit.before == edit.after:
        raise InvalidInput("It is as asked.", code="nothing_to_do", hint="No plan is needed.")
    bound = {n for t in mine for n in service_parts.bound_to(services, t)}
    order = tuple(n for n in services if n in {*mine, *bound})
    return Draft(
        operation="update_images",
        summary=f"Take {one.service} of stack {one.stack} to the image that its tag names now",
        edits=(edit,),
        actions=(
            EngineAction(ActionKind.PULL, "The image must be here before anything stops.", one.stack, tuple(mine)),
            EngineAction(ActionKind.UP, f"Runs {one.service} with it.", one.stack, order),
        ),
        verification=Verification(one.stack, order),
        risks=(RiskReason(Risk.MEDIUM, f"Recreates {', '.join(order)}."),),
        notes=(f"{posixpath.basename(image)} is a tag that moves; the file names the very image from now on.",),
        undo="Roll this plan back: the former image is still on this machine under its tag.",
        target=one.service,
    )


def _with_digest(seen: StackFiles, service: str, digest: str) -> tuple[str, list[str], str]:
    """The text with that digest for the service and its companions of the same image; their names, and the image."""
    services = service_parts.services_in(seen, service)
    image = str(services[service].get("image", ""))
    if "$" in image:
        raise InvalidInput(
            f"The image of {service} is written with a variable.",
            code="image_open",
            hint="Write it out, or pull and recreate it by hand.",
        )
    companions = service_parts.companions(services, service)
    mine = [n for n, s in services.items() if n == service or (n in companions and (s or {}).get("image") == image)]
    text = seen.compose_text
    for name in mine:
        text = ServiceEdit(text, name).set("image", f"{image.partition('@')[0]}@{digest}").text
    return text, mine, image


def _joined(drafts: Sequence[Draft]) -> Draft:
    edits: dict[str, FileEdit] = {}
    pulls: dict[str, list[str]] = {}
    ups: dict[str, list[str]] = {}
    routes: dict[str, list[object]] = {}
    for draft in drafts:
        for edit in draft.edits:
            first = edits.get(edit.path)
            edits[edit.path] = replace(edit, before=first.before) if first else edit
        for action in draft.actions:
            into = pulls if action.kind is ActionKind.PULL else ups
            into.setdefault(action.stack, []).extend(action.services)
        for seen in draft.verifications:
            routes.setdefault(seen.stack, []).extend(seen.routes)
    texts = {e.path: e.after or "" for e in edits.values()}
    verifications = tuple(
        Verification(stack, _ordered(names, texts, stack), routes=tuple(dict.fromkeys(routes.get(stack, ()))))  # type: ignore[arg-type]
        for stack, names in ups.items()
    )
    names = [d.target for d in drafts]
    return Draft(
        operation="update_images",
        summary=f"Update {len(drafts)} services: {', '.join(names)}"[:300],
        edits=tuple(edits.values()),
        actions=(
            *(
                EngineAction(
                    ActionKind.PULL, "Every image must be here before anything stops.", s, tuple(sorted(set(n)))
                )
                for s, n in pulls.items()
            ),
            *(
                EngineAction(ActionKind.UP, "Runs them with their new images.", s, _ordered(n, texts, s))
                for s, n in ups.items()
            ),
        ),
        verification=verifications[0],
        also_verify=verifications[1:],
        risks=tuple(dict.fromkeys(r for d in drafts for r in d.risks)),
        notes=(
            "All or none: where one does not hold, all go back to the images they had.",
            *dict.fromkeys(n for d in drafts for n in d.notes),
        ),
        undo="Roll this plan back; the former images are still on this machine.",
        target=names[0] if len(set(names)) == 1 else "",
    )


def _ordered(names: Sequence[str], texts: Mapping[str, str], stack: str) -> tuple[str, ...]:
    """Each once, in the order of the stack's file."""
    text = next((t for p, t in texts.items() if p.startswith(f"{stack}/") and p.endswith((".yaml", ".yml"))), "")
    order = list(services_of(read(text)))
    return tuple(sorted(set(names), key=lambda n: (order.index(n) if n in order else len(order), n)))
