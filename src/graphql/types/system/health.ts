import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import type {
  ComponentHealth as ComponentHealthShape,
  HealthReport,
} from '../../../domain/metrics/health-report.ts';

const HealthStatus = builder.enumType('HealthStatus', {
  description: 'How something is doing.',
  values: {
    UP: { description: 'It works.' },
    DEGRADED: { description: 'It works, but not as it should.' },
    DOWN: { description: 'It does not work.' },
  } as const,
});

const ComponentHealth = builder
  .objectRef<ComponentHealthShape & { latencyMs?: number | null }>('ComponentHealth')
  .implement({
    description: 'How a part of this instance is doing.',
    fields: (t) => ({
      status: t.expose('status', { type: HealthStatus, description: 'How it is doing.' }),
      latencyMs: t.float({
        nullable: true,
        description: 'How long it took to answer, in milliseconds.',
        resolve: ({ latencyMs }) => latencyMs ?? null,
      }),
      message: t.exposeString('message', {
        nullable: true,
        description: 'What is wrong; null where nothing is.',
      }),
    }),
  });

const Health = builder.objectRef<HealthReport>('Health').implement({
  description: 'How the instance that answers is doing.',
  fields: (t) => ({
    status: t.expose('status', { type: HealthStatus, description: 'The worst of its parts.' }),
    version: t.exposeString('version', { description: 'Version of the scheduler.' }),
    uptimeSeconds: t.exposeFloat('uptimeSeconds', { description: 'Seconds since the process started.' }),
    database: t.expose('database', { type: ComponentHealth, description: 'The database.' }),
    scheduler: t.expose('scheduler', {
      type: ComponentHealth,
      description: 'The loops that plan and run executions.',
    }),
  }),
});

builder.queryField('health', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: Health,
    description: 'How the instance that answers is doing.',
    resolve: (_root, _args, { health }) => health(),
  }),
);
