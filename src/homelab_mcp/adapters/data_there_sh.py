"""What another host does with data in the lab's folder there: shell for BusyBox, one run for each question or step.

A run is ``sh -c TEXT sh PLACE STAMP ARGUMENT...``. Its answer is fields that end in NUL: ``ok`` with values, or ``no``
with a word and what a program said; ``end`` is the last of either, and an answer without it was cut off.

Folders are entered one by one, and what is done there is done by names without a slash: whoever puts a link in the
place of a folder meanwhile leads nobody astray. Runs wait for one another and are told apart by a stamp that grows, of
this machine alone: one that was on its way when its connection broke, and comes late, finds a later stamp and does
nothing. So who asks again after a lost connection hears how it stays.
"""

from __future__ import annotations

_BEGIN = r"""
set -f
export LC_ALL=C
unset CDPATH
umask 022
place=$1 stamp=$2
shift 2
say() { printf '%s\0' "$@"; }
no() { say no "$@" end; exit 0; }
{ true >>/tmp/homelab-data; } 2>/dev/null || no failed "No space left on device"
exec 9>>/tmp/homelab-data
flock 9 || no failed "No locks available"
last=$(cat /tmp/homelab-data)
[ "$stamp" -ge "${last:-0}" ] || no late "$last"
echo "$stamp" 2>/dev/null >/tmp/homelab-data || no failed "No space left on device"
device() { stat -c %d "./$1"; }
identity() { stat -c %d:%i "./$1" 2>/dev/null; }
there() { [ ! -L "./$1" ] || no link; [ -e "./$1" ]; }
# Which mount a folder is of: a folder that is mounted into another has the same device, and no rename leads there.
mount_of() {
  exec 4<"./$1"
  while read -r word number; do
    if [ "$word" = mnt_id: ]; then echo "$number"; fi
  done </proc/self/fdinfo/4
}
down() {
  cd -P "./$1" 2>/dev/null || no unreadable
  at=$at/$1
  [ "$PWD" = "$at" ] || no link
}
# into PATH [STEP]: enters the folder that holds its last part, which is $name then; where a folder is missing it does
# STEP, else it ends with 1.
into() {
  cd -P "$place" 2>/dev/null || no place
  at=$PWD rest=$1
  while :; do
    case $rest in
      */*) name=${rest%%/*} rest=${rest#*/} ;;
      *) name=$rest; return 0 ;;
    esac
    [ ! -L "./$name" ] || no link
    fresh=
    if [ ! -e "./$name" ]; then
      [ -n "${2:-}" ] || return 1
      "$2"
      fresh=yes
    fi
    if [ ! -d "./$name" ]; then
      if [ -n "${2:-}" ]; then no file "$name"; fi
      no link
    fi
    down "$name"
    if [ -n "$fresh" ]; then
      chown "$(stat -c %u:%g ..)" . 2>/dev/null
      chmod 755 .
      sync .. || sync
    fi
  done
}
"""

LOOK_SH = (
    _BEGIN
    + r"""
found=
for path; do
  if into "$path" && there "$name"; then found="$found$(stat -c '%d:%i %u %g' "./$name")"; fi
  found="$found;"
done
say ok "$found" end
"""
)
"""PATH... -> one field: for each "device:inode uid gid", or nothing, and ";" behind it."""

LOGS_SH = (
    _BEGIN
    + r"""
path=$1 named=$2
shift 2
beginning() { head -c 16 "./$1" 2>/dev/null | tr '\0\1' '\1\0'; }
if ! { into "$path" && there "$name" && [ -f "./$name" ]; }; then say ok no end; exit; fi
if [ "$named" = no ] && [ "$(beginning "$name")" != "$(printf 'SQLite format 3\1')" ]; then say ok no end; exit; fi
found=yes
for ending; do
  if there "$name$ending" && [ -f "./$name$ending" ]; then found="$found $ending"; fi
done
say ok "$found" end
"""
)
"""PATH NAMED ENDING... -> "no" for what is no database, else "yes" and the endings that are there.

NAMED is yes where the name tells it already. NUL and 1 change places, as a shell holds no NUL.
"""

_SAME = r"""
same() {
  [ "$(device .)" = "${was%%:*}" ] && [ "$(mount_of .)" = "$mount" ] || no other
}
# from PATH: notes what is there and opens its folder as 3, so that it is the same one whatever is put in its place.
from() {
  into "$1" && there "$name" || no missing
  exec 3<.
  source=$name was=$(identity "$name") mount=$(mount_of .)
  if [ -d "./$name" ]; then mount=$(mount_of "$name"); fi
}
"""

MOVABLE_SH = (
    _BEGIN
    + _SAME
    + r"""
stop() { same; say ok end; exit; }
from "$1"
into "$2" stop
stop
"""
)
"""SOURCE TARGET -> nothing, or refused as MOVE_SH does where it would be."""

MOVE_SH = (
    _BEGIN
    + _SAME
    + r"""
folder() {
  same
  said=$(mkdir -m 700 "./$name" 2>&1) || [ -d "./$name" ] || no failed "$said"
}
from "$1"
into "$2" folder
same
if there "$name"; then no in_the_way; fi
# mv copies where a rename is refused as between two file systems. With no file to open it cannot, and says so of a
# file and nothing of a folder, for which it has made an empty one.
said=$( (ulimit -n 3 && exec mv -T "/proc/self/fd/3/$source" "./$name") 2>&1 </dev/null)
if [ "$(identity "$name")" != "$was" ]; then
  case $said in
    "" | *descriptors* | *"open files"*) rmdir "./$name" 2>/dev/null; no other ;;
  esac
  no failed "$said"
fi
sync . /proc/self/fd/3/. 2>/dev/null || sync
say ok end
"""
)
"""SOURCE TARGET: one rename, once it is known that it is one."""

GIVE_SH = (
    _BEGIN
    + r"""
if into "$1" && there "$name"; then
  if [ -d "./$name" ] || [ "$(stat -c %h "./$name")" = 1 ]; then
    said=$(chown -h "$2:$3" "./$name" 2>&1) || no failed "$said"
  fi
fi
say ok end
"""
)
"""PATH UID GID."""

STRANGERS_SH = (
    _BEGIN
    + r"""
exec 9>&-
if ! { into "$1" && there "$name"; }; then say ok end; exit; fi
each='
set -f
top=$1
shift
seen=$(stat -c "%d %u %g %h %f" "$@" 2>/dev/null)
if [ "$(printf "%s\n" "$seen" | wc -l)" -eq $# ]; then
  printf "%s\0" "$#" "$seen" "$@"
else
  for one; do
    if seen=$(stat -c "%d %u %g %h %f" "$one" 2>/dev/null); then printf "%s\0" 1 "$seen" "$one"; fi
  done
fi
'
say ok "$(device "$name")"
find "./$name" -xdev \( -type l -o ! -type d ! -links 1 -o ! -user "$2" -o ! -group "$3" \) -print0 2>/dev/null |
  xargs -0 -r sh -c "$each" sh .
say end
"""
)
"""PATH UID GID -> the device of the top, then again and again: a number, as many lines of "device uid gid links mode"
(mode in hexadecimal, as ``st_mode`` is), as many names that begin with "./"."""

TRASH_SH = (
    _BEGIN
    + r"""
if ! { into "$1" && there "$name" && [ -d "./$name" ]; }; then say ok end; exit; fi
down "$name"
say ok
set +f
for one in *; do say "$one"; done
set -f
say end
"""
)
"""PATH -> the names in that folder."""

DROP_SH = (
    _BEGIN
    + r"""
# empty PATH: of the folder we are in, which is that one; whatever takes the place of a folder below is not entered.
empty() {
  local here=$1 below
  find . -mindepth 1 -maxdepth 1 ! -type d -exec rm -f {} + 2>/dev/null
  set +f
  for below in ./* ./.[!.]* ./..?*; do
    if [ -L "$below" ] || [ ! -d "$below" ]; then continue; fi
    cd -P "$below" 2>/dev/null || continue
    [ "$PWD" = "$here/${below#./}" ] || no failed "it changes meanwhile"
    empty "$PWD"
    cd -P .. 2>/dev/null
    [ "$PWD" = "$here" ] || no failed "it changes meanwhile"
    rmdir "$below" 2>/dev/null
  done
}
into "$1" || no failed "No such file or directory"
if [ -L "./$name" ] || [ ! -d "./$name" ]; then no failed "Not a directory"; fi
down "$name"
# As the kernel writes it.
mine=$(printf '%s\n' "$PWD" | sed 's/\\/\\134/g; s/ /\\040/g')
while read -r _ _ _ _ point _; do
  case $point in "$mine" | "$mine"/*) no mounted "$point" ;; esac
done </proc/self/mountinfo
# That may take long, and plans need not wait for it.
exec 9>&-
empty "$PWD"
cd -P .. || no failed "it changes meanwhile"
said=$(rmdir "./$name" 2>&1) || no failed "$said"
say ok end
"""
)
"""PATH: a folder and all in it, unless something is mounted there."""
