package acgs.lib

is_admin(user) if user in data.acgs.roles.admins
