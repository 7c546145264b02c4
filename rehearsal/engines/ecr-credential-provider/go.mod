module laptop.containers/engines/ecr-credential-provider

go 1.26

require k8s.io/cloud-provider-aws v1.37.0
