/** What a viewer may do. Each role may do all that the roles before it may. */
export const ROLES = ['VIEWER', 'OPERATOR', 'EDITOR', 'ADMIN'] as const;
export type Role = (typeof ROLES)[number];

/** Whether a viewer with the role `held` may do what needs the role `needed`. */
export function roleIncludes(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed);
}

/** The roles that a viewer with this role has: its own and all that it includes. */
export function rolesWithin(held: Role): readonly Role[] {
  return ROLES.slice(0, ROLES.indexOf(held) + 1);
}
