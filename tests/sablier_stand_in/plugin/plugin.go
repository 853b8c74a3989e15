// Package sablier_traefik_plugin is a STAND-IN for Sablier's Traefik plugin, for tests on machines without internet.
//
// It takes the options that the real one documents, asks a server at sablierUrl as that asks Sablier, and lets a
// request through once the answer's X-Sablier-Session-Status says ready.
package sablier_traefik_plugin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Dynamic is the waiting page's options.
type Dynamic struct {
	DisplayName string
	Theme       string
}

// Blocking is the waiting request's options.
type Blocking struct {
	Timeout string
}

// Config is what a middleware may say.
type Config struct {
	SablierURL      string
	Group           string
	SessionDuration string
	Dynamic         *Dynamic
	Blocking        *Blocking
}

// CreateConfig gives the defaults.
func CreateConfig() *Config {
	return &Config{SablierURL: "http://sablier:10000"}
}

type gate struct {
	next http.Handler
	ask  string
}

// New makes the middleware; it refuses what the real one refuses.
func New(_ context.Context, next http.Handler, config *Config, _ string) (http.Handler, error) {
	if config.Group == "" {
		return nil, fmt.Errorf("a group is needed")
	}
	if (config.Dynamic == nil) == (config.Blocking == nil) {
		return nil, fmt.Errorf("exactly one strategy is needed")
	}
	query := url.Values{"group": {config.Group}, "session_duration": {config.SessionDuration}}
	strategy := "blocking"
	if config.Dynamic != nil {
		strategy = "dynamic"
		query.Set("display_name", config.Dynamic.DisplayName)
		query.Set("theme", config.Dynamic.Theme)
	} else {
		query.Set("timeout", config.Blocking.Timeout)
	}
	return &gate{next, config.SablierURL + "/api/strategies/" + strategy + "?" + query.Encode()}, nil
}

func (g *gate) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	said, err := http.Get(g.ask)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
		return
	}
	defer said.Body.Close()
	if said.Header.Get("X-Sablier-Session-Status") == "ready" {
		g.next.ServeHTTP(answer, request)
		return
	}
	answer.Header().Set("Cache-Control", "no-cache")
	answer.WriteHeader(said.StatusCode)
	io.Copy(answer, said.Body)
}
