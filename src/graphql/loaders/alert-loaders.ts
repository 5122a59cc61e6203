import type DataLoader from 'dataloader';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { groupedLoader } from './grouped-loader.ts';

/** A delivery with what was selected of it. */
export type LoadedDelivery = { id: string } & Record<string, unknown>;

/** What is asked of many alerts at once; two statements per distinct `limit` and `select`. */
export interface AlertLoaders {
  /** An alert's newest deliveries, newest first. */
  deliveries: DataLoader<
    { alertId: string; limit: number; select: Prisma.AlertDeliverySelect },
    LoadedDelivery[]
  >;
  /** How many deliveries an alert has. */
  deliveryCounts: DataLoader<{ alertId: string }, number>;
}

interface AlertParts {
  prisma: PrismaClient;
  latestDeliveryIds: (alertIds: readonly string[], limit: number) => Promise<Map<string, string[]>>;
}

/** Makes the loaders. They remember nothing: they outlive requests, and deliveries come and go. */
export function createAlertLoaders(parts: AlertParts): AlertLoaders {
  const alertOf = ({ alertId }: { alertId: string }) => alertId;
  return {
    deliveries: groupedLoader(
      alertOf,
      ({ limit, select }) => JSON.stringify([limit, select]),
      (alertIds, { limit, select }) => readDeliveries(parts, alertIds, limit, select),
      [],
    ),
    deliveryCounts: groupedLoader(
      alertOf,
      () => '',
      (alertIds) => countDeliveries(parts.prisma, alertIds),
      0,
    ),
  };
}

async function readDeliveries(
  { prisma, latestDeliveryIds }: AlertParts,
  alertIds: readonly string[],
  limit: number,
  select: Prisma.AlertDeliverySelect,
): Promise<Map<string, LoadedDelivery[]>> {
  const ids = await latestDeliveryIds(alertIds, limit);
  const rows = (await prisma.alertDelivery.findMany({
    where: { id: { in: [...ids.values()].flat() } },
    select: { ...select, id: true },
  })) as unknown as LoadedDelivery[];
  const byId = new Map(rows.map((row) => [row.id, row]));
  // One that was pruned between the two reads is left out.
  return new Map(
    [...ids].map(([alertId, deliveries]) => [alertId, deliveries.flatMap((id) => byId.get(id) ?? [])]),
  );
}

async function countDeliveries(
  prisma: PrismaClient,
  alertIds: readonly string[],
): Promise<Map<string, number>> {
  const groups = await prisma.alertDelivery.groupBy({
    by: ['alertId'],
    where: { alertId: { in: [...alertIds] } },
    _count: true,
  });
  return new Map(groups.map(({ alertId, _count }) => [alertId, _count]));
}
