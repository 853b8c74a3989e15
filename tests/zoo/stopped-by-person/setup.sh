#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd) || exit
exec "$here/../play" setup "${here##*/}" "$@"
