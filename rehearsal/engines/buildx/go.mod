module laptop.containers/engines/buildx

go 1.26

require github.com/docker/buildx v0.38.2
