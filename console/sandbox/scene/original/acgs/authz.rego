package acgs.authz

import data.acgs.lib

default allow := false

allow if lib.is_admin(input.user)
