#!/bin/sh
# qpki @VERSION@ for @TARGET@: a shell text, followed by the program's files and the Deno executable.
# The first start unpacks them into an owner-only folder of this content's own; later starts only look whether all is
# there as it was packed, and go on. QPKI_VERIFY=1 checks every byte. Made by scripts/build.ts of the source tree.
# Variables begin with _q_, so that none of the caller's environment is changed.
_q_id=@ID@
_q_tools=/usr/bin:/bin${PATH:+:$PATH}

_q_cache=${XDG_CACHE_HOME:-}
case $_q_cache in /*) ;; *) _q_cache=${HOME:+$HOME/.cache} ;; esac
case $_q_cache in /*) ;; *) _q_cache= ;; esac
_q_dir=$_q_cache/qpki/$_q_id

# Whether the folder is as it was unpacked: ours, owner-only, every file with the permissions, the size and the time it was
# given. One call of `stat` tells it all.
intact() {
  [ -O "$_q_dir" ] && [ -O "$_q_dir/.." ] && [ -O "$_q_dir/files" ] || return 1
  case $(cd "$_q_dir" && PATH=$_q_tools exec stat @STAT@ .. . files @NAMES@ 2>/dev/null) in
    "700 .. "*"
700 . "*"
700 files "*"
@WANT@") ;;
    *) return 1 ;;
  esac
}

# Deno shall read no settings in the caller's home, look for no update, and put no "node" on PATH. The program undoes
# these variables before its work (prelude.js).
start() {
  unset QPKI_CALLER_HOME QPKI_CALLER_DENO_DIR
  [ -z "${HOME+set}" ] || export QPKI_CALLER_HOME="$HOME"
  [ -z "${DENO_DIR+set}" ] || export QPKI_CALLER_DENO_DIR="$DENO_DIR"
  export HOME="$_q_dir" DENO_DIR="$_q_dir/deno_dir" DENO_NO_UPDATE_CHECK=1 DENO_DISABLE_NODE_SHIM=1
  exec "$_q_dir/files/deno" run @FLAGS@ "$_q_dir/files/app/main.js" "$@"
}

if [ -n "$_q_cache" ] && [ -z "${QPKI_VERIFY:-}" ] && intact; then start "$@"; fi

# The shell reads on only when that did not hold.

fail() {
  printf 'error: Cannot unpack qpki: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# Makes the folder "$_q_cache/qpki" ready; otherwise sets $_q_why to the reason it cannot be used.
prepare_cache() {
  _q_why=
  [ -n "$_q_cache" ] || { _q_why='neither XDG_CACHE_HOME nor HOME names a folder'; return; }
  _q_base=$_q_cache/qpki
  case $_q_cache in
    "${HOME:-}/.cache") [ -d "$HOME" ] || { _q_why="HOME names no folder: $HOME"; return; } ;;
  esac
  (umask 077; mkdir -p "$_q_base") 2>/dev/null || { _q_why="$_q_base cannot be made"; return; }
  [ -O "$_q_base" ] || { _q_why="$_q_base belongs to another user"; return; }
  case $(ls -ldn "$_q_base") in
    drwx------*) ;;
    d????-??-?*) chmod 700 "$_q_base" ;;
    *) _q_why="others may write to $_q_base" ;;
  esac
}

# Unpacks into the new folder $1, and moves it to $2 unless that is empty. Returns the status of the unpacking program.
unpack() {
  mkdir -m 700 "$1/files" || return 1
  tail -c +@DENO_AT@ "$_q_self" >"$1/files/deno" 2>/dev/null || return 1
  [ $(($(wc -c <"$1/files/deno"))) -eq @DENO_SIZE@ ] || return 65
  tail -c +@UNPACK_AT@ "$_q_self" 2>/dev/null | head -c @UNPACK_SIZE@ >"$1/unpack.js" || return 1
  chmod 700 "$1/files/deno" || return 1
  HOME=$1 DENO_DIR=$1/deno_dir DENO_NO_UPDATE_CHECK=1 "$1/files/deno" run @FLAGS@ "$1/unpack.js" "$_q_self" @PACK_AT@ "$1" "$2"
}

# Leaves the folder to be removed when the program ends, however it ends: the program, with what it starts, holds the
# writing end of a pipe, and the remover waits for its closing.
remove_at_exit() {
  mkfifo -m 600 "$1/alive" || return
  (
    trap '' HUP INT QUIT TERM
    cd / && exec </dev/null >/dev/null 2>&1
    read -r _q_end <"$1/alive"
    rm -rf "$1"
  ) &
  for _q_fd in 9 8 7 6 5 4 3; do
    (eval ": >&$_q_fd") 2>/dev/null || break
  done
  eval "exec $_q_fd>\"\$1/alive\""
}

# Sets $_q_dir to a folder with everything in it.
provide() {
  _q_self=$0
  _q_new=
  trap '[ -z "$_q_new" ] || rm -rf "$_q_new"; exit 130' HUP INT TERM
  [ -r "$_q_self" ] || fail "$_q_self cannot be read" 'Start it by its path'
  prepare_cache
  if [ -z "$_q_why" ]; then
    if _q_new=$(mktemp -d "$_q_base/new.XXXXXX" 2>/dev/null); then
      unpack "$_q_new" "$_q_dir" && return
      _q_status=$?
      rm -rf "$_q_new"
      case $_q_status in
        65) fail "$_q_self is cut off or damaged" 'Get the file again' ;;
        126) _q_why="programs in $_q_base may not run" ;;
        *) _q_why="unpacking into $_q_base failed" ;;
      esac
    else
      _q_why="$_q_base cannot be written to"
    fi
  fi
  printf 'warning: qpki is unpacked for this run only: %s\n' "$_q_why" >&2
  _q_new=$(mktemp -d "${TMPDIR:-/tmp}/qpki.XXXXXX") || fail 'there is no writable folder' 'Set XDG_CACHE_HOME or TMPDIR to one'
  unpack "$_q_new" ''
  case $? in
    0) ;;
    65) rm -rf "$_q_new"; fail "$_q_self is cut off or damaged" 'Get the file again' ;;
    *) rm -rf "$_q_new"; fail "$_q_new cannot be used" 'Set XDG_CACHE_HOME to a folder with 150 MB where programs may run' ;;
  esac
  _q_dir=$_q_new
  remove_at_exit "$_q_dir"
}

_q_saved=${PATH-unset-}
PATH=$_q_tools
provide
trap - HUP INT TERM
case $_q_saved in unset-) unset PATH ;; *) PATH=$_q_saved ;; esac
start "$@"
exit 1
