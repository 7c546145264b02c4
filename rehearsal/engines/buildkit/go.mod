module laptop.containers/engines/buildkit

go 1.26

require github.com/moby/buildkit v0.34.2
