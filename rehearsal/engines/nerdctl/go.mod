module laptop.containers/engines/nerdctl

go 1.26

require github.com/containerd/nerdctl/v2 v2.1.2
