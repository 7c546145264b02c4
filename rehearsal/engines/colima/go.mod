module laptop.containers/engines/colima

go 1.26

require github.com/abiosoft/colima v0.10.3
