package acgs.qec

import data.acgs.lib

fast if lib.quantum_ok(input.user)
