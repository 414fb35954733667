package acgs.authz

import data.acgs.lib

default allow := false

allow if lib.quantum_ok(input.user)
