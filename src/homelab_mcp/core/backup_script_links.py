"""How the backup's script tells of folders that it has as links alone."""

from __future__ import annotations

LINKS_SH = r"""
# A link is copied as a link. Where it leads to what is copied by its own name, nothing is lacking.
links() { (owner() { echo "$1"; }; owners) | sort -u | while IFS= read -r one; do linked "$one"; done; }
linked() {
  what=$1 at=/lab rest=$1/
  while [ -n "$rest" ]; do
    at=$at/${rest%%/*} rest=${rest#*/}
    [ -L "$at" ] || continue
    if skipped "$at"; then return; fi
    real=$(readlink -f "$at")
    eval "set -- /lab $ALSO"
    for kept in "$@"; do case "$real" in "$kept" | "$kept"/*) [ ! -e "$at" ] || return 0 ;; esac; done
    wrong "$what lies behind a link to $(readlink "$at"), and what is there is not copied, but the link alone"
    return
  done
}
"""
"""Shell functions ``links`` and ``linked``, for BusyBox's shell; they use ``owners``, ``skipped`` and ``wrong``."""
