module github.com/sablierapp/sablier-traefik-plugin

go 1.22
