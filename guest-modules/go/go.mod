module sandgate.example/modules

go 1.24

require sandgate.example/sandgate v0.1.0

replace sandgate.example/sandgate => ./sdk
