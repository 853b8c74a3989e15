"""The part of the backups' script that tells what a restored file or folder is, beside what is there now."""

from __future__ import annotations

FOUND_SH = r"""# emptier PATH: the folder was restored without a file in it, and its place has some now.
emptier() {
  [ -d "$to/lab/$1" ] && [ -z "$(find "$to/lab/$1" ! -type d | head -n 1)" ] &&
    [ -n "$(find "/lab/$1" ! -type d 2>/dev/null | head -n 1)" ]
}
# ways BEGUN PATTERN: as find takes it, for restic's /**/ may stand for no folder at all, and find's for one at least.
ways() {
  case "$2" in
    */\*\*/*)
      ways "$1${2%%/\*\*/*}/**" "/${2#*/\*\*/}"
      ways "$1${2%%/\*\*/*}" "/${2#*/\*\*/}" ;;
    *) printf '%s\n' "$1$2" ;;
  esac
}
# lacks PATH: by which patterns the backup left out what is there now, and one such thing for each:
# a folder with files in it has a slash at its end. CACHE is what services of then made anew, and keeps nothing back.
lacks() {
  # Those of the run that made it; a run of an older version kept none.
  excludes=$to/dumps/.excludes
  [ -f "$excludes" ] || excludes=/backup/excludes
  # What services make anew comes before that line; a list of an older version has none, and tells all alike.
  who=LACKS
  ! grep -qx '# settings' "$excludes" || who=CACHE
  while IFS= read -r pattern; do
    one=${pattern%/}
    case "$one" in
      "# settings") who=LACKS; continue ;;
      "" | \#* | "*.homelab-tmp") continue ;;
      /*)
        # Up to its first sign it is a plain path: most are of other folders.
        plain=${one%%[*?[]*}
        case "/lab/$1/" in "$plain"*) ;; *) case "$plain" in "/lab/$1"*) ;; *) continue ;; esac ;; esac
        set -- "$1" -path "$one" ;;
      */*) set -- "$1" -path "*/$one" ;;
      *) set -- "$1" -name "$one" ;;
    esac
    ways "" "$3" | while IFS= read -r one; do find "/lab/$1" "$2" "$one" 2>/dev/null; done | while IFS= read -r here; do
      [ ! -e "$to$here" ] || continue
      [ ! -d "$here" ] || [ -z "$(find "$here" ! -type d 2>/dev/null | head -n 1)" ] || here=$here/
      printf '%s %s\t%s\t%s\n' "$who" "$1" "$pattern" "${here#/lab/}"
      break
    done
  done <"$excludes"
}
# told PATH: what became of one that was asked for.
told() {
  if [ ! -e "$to/lab/$1" ]; then echo "MISSING $1"; return; fi
  if emptier "$1"; then echo "EMPTY $1"; else echo "FOUND $1"; fi
  lacks "$1" </dev/null
}
"""
"""Shell functions ``emptier``, ``ways``, ``lacks`` and ``told``; ``$to`` is the side folder with ``lab`` and ``dumps``
in it.
"""
