module laptop.containers/engines/lima

go 1.26

require github.com/lima-vm/lima/v2 v2.1.4
