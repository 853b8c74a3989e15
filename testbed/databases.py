"""Databases of the distribution's real programs, begun as the official images begin: MariaDB and Redis."""

from pathlib import Path

from testbed.docker_engine import TestbedError
from testbed.images import SEARCH_PATH, LocalImage, Recipe, accounts, find_program, put_image

_SHARE = Path("/usr/share/mysql")
_APPLETS = ("sh", "cat", "ls", "mkdir", "sleep", "echo", "true", "command", "kill", "id")

MARIADB_ENTRYPOINT = r"""#!/bin/sh
# As the official image begins (MariaDB/mariadb-docker, docker-entrypoint.sh): a new folder is filled by a server that
# listens on no port, root may come from everywhere, and the user owns the one database. Nothing waits for the disk.
data=/var/lib/mysql socket=/tmp/mysqld.sock
server() {
  mariadbd --no-defaults --user=root --datadir="$data" --socket=$socket --innodb-flush-log-at-trx-commit=0 "$@"
}
if [ ! -d "$data/mysql" ]; then
  cd /usr/share/mysql
  { echo "CREATE DATABASE mysql;"
    echo "USE mysql;"
    cat mysql_system_tables.sql mysql_performance_tables.sql mysql_system_tables_data.sql fill_help_tables.sql \
      maria_add_gis_sp_bootstrap.sql mysql_sys_schema.sql
  } | server --bootstrap --skip-networking >/tmp/made 2>&1 || { cat /tmp/made; exit 1; }
  server --skip-networking &
  pid=$!
  until mariadb --no-defaults --socket=$socket -u root -e 'SELECT 1' >/dev/null 2>&1; do sleep 0.2; done
  mariadb --no-defaults --socket=$socket -u root <<SQL
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
CREATE DATABASE $MARIADB_DATABASE;
CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';
GRANT ALL ON $MARIADB_DATABASE.* TO '$MARIADB_USER'@'%';
SQL
  kill $pid
  wait $pid
fi
cd /
server "$@" &
pid=$!
trap 'kill $pid' TERM INT
wait $pid
wait $pid
"""


def ensure_mariadb(reference: str) -> LocalImage:
    """Put Debian's real MariaDB on the engine. Raises TestbedError where it is missing."""
    if not (_SHARE / "mysql_system_tables.sql").is_file():
        raise TestbedError("MariaDB is missing: script/setup installs it (or: apt-get install mariadb-server-core)")
    parts = [*_SHARE.glob("*.sql"), *(_SHARE / "english").iterdir(), *(_SHARE / "charsets").iterdir()]
    recipe = Recipe(
        kind="local-build",
        # Both programs then look where the server listens, as they do in the official image.
        changes=('ENTRYPOINT ["/entrypoint.sh"]', f"ENV PATH={SEARCH_PATH}", "ENV MYSQL_UNIX_PORT=/tmp/mysqld.sock"),
        programs={
            "/bin/busybox": find_program("busybox", "busybox-static"),
            "/usr/sbin/mariadbd": find_program("mariadbd", "mariadb-server-core"),
            "/usr/bin/mariadb": find_program("mariadb", "mariadb-client"),
            "/usr/bin/mariadb-dump": find_program("mariadb-dump", "mariadb-client"),
        },
        scripts={"/entrypoint.sh": MARIADB_ENTRYPOINT},
        files={**accounts(), **{str(p): p.read_bytes() for p in parts if p.is_file()}},
        links={f"/bin/{applet}": "busybox" for applet in _APPLETS},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)


def ensure_redis(reference: str) -> LocalImage:
    """Put Debian's real Redis on the engine, which keeps its file in ``/data`` and writes it when it is told to.

    Raises TestbedError where it is missing.
    """
    # The server, and the program that checks its files, are one program that goes by its name.
    program = find_program("redis-check-rdb", "redis-tools")
    recipe = Recipe(
        kind="local-build",
        changes=(
            'ENTRYPOINT ["/usr/bin/redis-server", "--dir", "/data", "--save", "", "--protected-mode", "no"]',
            f"ENV PATH={SEARCH_PATH}",
        ),
        programs={
            "/bin/busybox": find_program("busybox", "busybox-static"),
            "/usr/bin/redis-server": program,
            "/usr/bin/redis-cli": find_program("redis-cli", "redis-tools"),
        },
        files=accounts(),
        links={f"/bin/{applet}": "busybox" for applet in _APPLETS},
    )
    put_image(reference, recipe)
    return LocalImage(reference, is_stand_in=False)
