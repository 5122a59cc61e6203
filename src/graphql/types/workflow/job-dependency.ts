import { builder } from '../../builder.ts';

export const DependencyCondition = builder.enumType('DependencyCondition', {
  description:
    'How a run of the job that is waited for must end. What never ran, as a SKIPPED execution, is no run.',
  values: {
    ON_SUCCESS: { description: 'SUCCESS.' },
    ON_FAILURE: { description: 'FAILED, after all retries.' },
    ON_COMPLETION: { description: 'SUCCESS, FAILED or CANCELLED.' },
  } as const,
});

export const JobDependency = builder.prismaNode('JobDependency', {
  id: { field: 'id' },
  nullable: true,
  description:
    'A job waits for another. Without slots of its own it runs when all that it waits for has ended as asked since its last such run; with slots it runs at those where the latest run of each has, and is SKIPPED at the others.',
  select: { id: true },
  fields: (t) => ({
    job: t.relation('job', { description: 'The job that waits.' }),
    dependsOn: t.relation('dependsOn', {
      description: 'The job that it waits for; it may be deleted by now.',
    }),
    condition: t.expose('condition', {
      type: DependencyCondition,
      description: 'How that job’s run must end.',
    }),
    satisfiedAt: t.expose('satisfiedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When a run last ended as asked that was not used by a run of `job` yet; null where one is waited for.',
    }),
  }),
});
