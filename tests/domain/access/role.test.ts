import { expect, it } from 'vitest';
import { roleIncludes, ROLES, rolesWithin } from '../../../src/domain/access/role.ts';

it('lets each role do what the roles before it may do, and nothing more', () => {
  const table = ROLES.map((held) => ROLES.filter((needed) => roleIncludes(held, needed)));
  expect(table).toEqual([
    ['VIEWER'],
    ['VIEWER', 'OPERATOR'],
    ['VIEWER', 'OPERATOR', 'EDITOR'],
    ['VIEWER', 'OPERATOR', 'EDITOR', 'ADMIN'],
  ]);
  expect(ROLES.map(rolesWithin)).toEqual(table);
});
