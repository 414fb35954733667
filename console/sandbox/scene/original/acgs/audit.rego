package acgs.audit

import data.acgs.authz

logged if not authz.allow
