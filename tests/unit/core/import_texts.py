"""Compose texts and command lines as people paste them, written for these tests."""

CANARY = "c4n4ry-8812-token"
PHOTOS = f"""version: "3.9"
x-common: &common
  restart: always
services:
  server:
    <<: *common
    image: example/photos:v1.2
    container_name: photos_server
    ports: ["2283:2283", "${{PEER:-7000}}:7000/udp"]
    depends_on: [database, redis]
    environment:
      DB_HOSTNAME: database
      DB_URL: postgres://photos:changeme@database:5432/photos
      DB_PASSWORD: changeme
      API_TOKEN: {CANARY}
      TZ: Europe/Berlin
      LOG: ${{LOG_LEVEL:-info}}
      SITE: ${{SITE}}
    volumes:
      - ./library:/data
      - /etc/localtime:/etc/localtime:ro
      - cache:/cache
      - ./nginx.conf:/etc/nginx/nginx.conf:ro
    env_file: .env
    labels:
      - traefik.enable=true
      - traefik.http.routers.x.rule=Host(`foto.example.org`)
  redis:
    image: redis:8
  database:
    image: postgres:17.2
    environment:
      - POSTGRES_PASSWORD=changeme
      - POSTGRES_DB=photos
    ports: ["5432:5432"]
    volumes: [pg_data:/var/lib/postgresql/data]
volumes:
  pg_data:
  cache:
networks:
  back: {{}}
"""

TEXTS = {
    "one plain": "services:\n  web:\n    image: example/web:1\n    ports: ['8080:80']\n",
    "privileged": "services:\n  x:\n    image: example/x:1\n    privileged: true\n    pid: host\n    cap_add: [ALL]\n",
    "host network": "services:\n  ha:\n    image: example/ha:1\n    network_mode: host\n    ports: ['8123:8123']\n",
    "through another": "services:\n  vpn:\n    image: example/vpn:1\n    cap_add: [NET_ADMIN]\n"
    "    ports: ['9091:9091']\n  bt:\n    image: example/bt:1\n    network_mode: service:vpn\n    depends_on: [vpn]\n",
    "migration": "services:\n  app:\n    image: example/app:1\n    ports: ['80:3000']\n    depends_on:\n"
    "      migrate:\n"
    "        condition: service_completed_successfully\n  migrate:\n    image: example/app:1\n    command: migrate\n"
    "    restart: 'no'\n",
    "odd names": "services:\n  My.App:\n    image: example/app:1\n    container_name: Some_App\n    hostname: app\n"
    "    ports: ['80:80']\n    networks: {lan: {aliases: [x.y]}}\n"
    "networks: {lan: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}\n",
    "limits": "services:\n  a:\n    image: example/a:1\n    mem_limit: 64m\n    cpus: 0.2\n    pids_limit: 50\n"
    "    healthcheck: {test: [CMD, 'true'], interval: 5s}\n    stop_grace_period: 1m\n    ulimits: {nofile: 1024}\n",
    "dollars": "services:\n  a:\n    image: example/a:1\n    command: [sh, -c, 'echo $$HOME']\n"
    "    environment: {A: 'p$$x', B: '${C:-d}'}\n",
    "run": "docker run -d --name web -p 80:80 --gpus all --cap-add NET_ADMIN --sysctl net.ipv4.ip_forward=1 "
    "--ulimit nofile=1024 --tmpfs /run --device /dev/null --add-host a:10.0.0.1 --dns 9.9.9.9 --shm-size 64m "
    "--log-opt max-size=1m --init --read-only --stop-timeout 5 --health-cmd true -u 1000 example/web:1 serve --x 'a b'",
    "two runs": "docker run -d --name db -e MARIADB_ROOT_PASSWORD=pw --network lan mariadb:11.4\n"
    "docker run -d --name app -p 8080:80 -e DB_HOST=db -e DB_PASSWORD=pw --network lan example/app:1\n",
}
