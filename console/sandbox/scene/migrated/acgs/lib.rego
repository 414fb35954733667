package acgs.lib

quantum_ok(user) if user != data.acgs.roles.banned
