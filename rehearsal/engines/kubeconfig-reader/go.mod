module laptop.containers/engines/kubeconfig-reader

go 1.26

require k8s.io/client-go v0.36.3
