import { longestUrl } from '../../answer-sizes.ts';
import { MAX_TARGET_URL_LENGTH } from '../../../domain/request/target-url.ts';
import type { GraphQLResolveInfo } from 'graphql';
import { ALERT_LIMITS } from '../../../domain/alert/alert.ts';
import { maskAlertTarget } from '../../../domain/alert/alert-target.ts';
import type { AlertDelivery as DeliveryRow } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { readOrdering } from '../../connection/ordering.ts';
import { pageOf, requestPage } from '../../connection/page.ts';
import { askedPage } from '../../connection/asked-page.ts';
import type { PageArgs } from '../../connection/page-args.ts';
import { type CountedPage, selectionOfRows } from '../../connection/prisma-page.ts';
import type { GraphqlContext } from '../../context.ts';
import { AlertDelivery } from './alert-delivery.ts';
import { AlertChannel, AlertEvent } from './alert-enums.ts';
import { BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { Job } from '../jobs/job.ts';
import { ID_COLUMN, NEWEST_FIRST } from '../shared/order-inputs.ts';

const AlertDeliveryConnection = builder.connectionObject(
  { type: AlertDelivery, name: 'AlertDeliveryConnection', description: 'A page of an alert’s deliveries.' },
  { name: 'AlertDeliveryEdge', description: 'A delivery of a page.' },
);

export const JobAlert = builder.prismaNode('JobAlert', {
  id: { field: 'id' },
  nullable: true,
  description: 'Whom to tell of what happens to a job.',
  select: { id: true },
  fields: (t) => ({
    job: t.relation('job', { description: 'The job that it watches.' }),
    channel: t.expose('channel', { type: AlertChannel, description: 'How it is sent.' }),
    target: t.string({
      extensions: longestUrl(MAX_TARGET_URL_LENGTH),
      description:
        'A URL or an address, as the channel takes it. Passwords and whatever may be a token are shown as `***`; written back by an update, that leaves it as it is.',
      select: { channel: true, target: true },
      resolve: ({ channel, target }) => maskAlertTarget(channel, target),
    }),
    events: t.expose('events', {
      type: [AlertEvent],
      description:
        'What it tells of: each kind in at most `ALERT_MAX_PER_MINUTE` messages a minute, beyond which one more gathers the rest.',
    }),
    failureThreshold: t.exposeInt('failureThreshold', {
      description: 'FAILED is sent after this many failures in a row.',
    }),
    latenessThresholdMs: t.exposeInt('latenessThresholdMs', {
      description: 'LATE is sent for a run that has not started this many milliseconds after its slot.',
    }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether it tells of anything.' }),
    failing: t.exposeBoolean('isFailing', {
      description:
        'Whether the job’s failures in a row have reached `failureThreshold`, with no success since; some hundred milliseconds behind the job itself.',
    }),
    failuresInRow: t.exposeInt('failuresInRow', {
      description:
        'Executions that FAILED since the last SUCCESS, as far as they ended while the alert was enabled.',
    }),
    deliveries: t.connection(
      {
        type: AlertDelivery,
        description: `Its messages, newest first. Those of all alerts of an answer are read together. ${BAD_LIST_ARGUMENT}.`,
        select: { id: true },
        resolve: ({ id }, args, context, info) => deliveryPageOf(id, args, context, info),
      },
      AlertDeliveryConnection,
    ),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
  }),
});

builder.prismaObjectFields(Job, (t) => ({
  alerts: t.relation('alerts', {
    description: `Whom to tell of what happens to it, oldest first; ${ALERT_LIMITS.perJob} at most.`,
    query: { orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] },
  }),
}));

const ORDERING = readOrdering(
  null,
  { CREATED_AT: { column: 'createdAt', type: 'instant', nullable: false } },
  NEWEST_FIRST,
  ID_COLUMN,
);

/**
 * A page of one alert's deliveries, which may be one of many alerts in the same answer: they are read for all alerts at once,
 * and so are the totals.
 */
async function deliveryPageOf(
  alertId: string,
  args: PageArgs,
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<CountedPage<DeliveryRow>> {
  const request = requestPage(ORDERING, args);
  const select = selectionOfRows(context, info, ORDERING);
  const totalCount = () => context.alertLoaders.deliveryCounts.load({ alertId });
  const rows = await context.alertLoaders.deliveries.load({ alertId, ...askedPage(request), select });
  return { totalCount, ...pageOf(request, rows as unknown as DeliveryRow[]) };
}
