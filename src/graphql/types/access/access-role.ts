import { builder } from '../../builder.ts';

export const AccessRole = builder.enumType('AccessRole', {
  description: 'What a viewer may do. Each role may do all that the roles before it may.',
  values: {
    VIEWER: { description: 'May read.' },
    OPERATOR: {
      description: 'May also trigger, pause and resume jobs, cancel and retry executions, and redrive.',
    },
    EDITOR: { description: 'May also create, change and delete jobs, alerts and tags.' },
    ADMIN: { description: 'May also manage API keys and read the audit log.' },
  } as const,
});
