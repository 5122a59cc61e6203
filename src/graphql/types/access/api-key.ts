import { longestText } from '../../answer-sizes.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { AccessRole } from './access-role.ts';

export const ApiKey = builder.prismaNode('ApiKey', {
  id: { field: 'id' },
  nullable: true,
  description:
    'A key that a caller authenticates with. Its text is shown once, when it is created or rotated.',
  authScopes: needs('ADMIN'),
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', {
      extensions: longestText(100),
      description: 'Its name, and the actor of what its holder does. Unique among keys that are not revoked.',
    }),
    role: t.expose('role', { type: AccessRole, description: 'What its holder may do.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    createdBy: t.exposeString('createdBy', {
      extensions: longestText(100),
      description: 'The actor that created it.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'From when on it is not valid; null: it does not expire.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute; null where it never was.',
    }),
    previousUntil: t.expose('previousUntil', {
      type: 'DateTime',
      nullable: true,
      description:
        'Until when its former text is valid, since the last rotation; null where it was never rotated.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked; null where it is not.',
    }),
  }),
});
