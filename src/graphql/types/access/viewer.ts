import { rolesWithin } from '../../../domain/access/role.ts';
import type { Viewer as ViewerShape } from '../../../domain/access/viewer.ts';
import { listOf, longestText } from '../../answer-sizes.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { AccessRole } from './access-role.ts';

const ViewerKind = builder.enumType('ViewerKind', {
  description: 'How a viewer has come in.',
  values: {
    ANONYMOUS: { description: 'Without a key, on a server that asks for none.' },
    API_KEY: { description: 'With an API key.' },
  } as const,
});

const Viewer = builder.objectRef<ViewerShape>('Viewer').implement({
  description: 'Who asks, and what they may do.',
  fields: (t) => ({
    name: t.exposeString('name', {
      extensions: longestText(100),
      description:
        'The name under which the audit log has what they do: that of the API key, or `anonymous`.',
    }),
    kind: t.expose('kind', { type: ViewerKind, description: 'How they have come in.' }),
    roles: t.field({
      type: [AccessRole],
      extensions: listOf(4),
      description: 'Their roles: the one that they were given, and all that it includes.',
      resolve: ({ role }) => [...rolesWithin(role)],
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: Viewer,
    description: 'Who asks.',
    resolve: (_root, _args, { viewer }) => viewer,
  }),
);
