import type DataLoader from 'dataloader';
import type { PageRequest } from '../../domain/execution/page-request.ts';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { pageSignature } from './page-signature.ts';
import { groupedLoader } from './grouped-loader.ts';
import { rowsOfOwners } from './rows-of-owners.ts';

/** A delivery with what was selected of it. */
export type LoadedDelivery = { id: string } & Record<string, unknown>;

/** What is asked of many alerts at once; two statements for each distinct question. */
export interface AlertLoaders {
  /** A page of an alert's deliveries. */
  deliveries: DataLoader<
    PageRequest & { alertId: string; select: Prisma.AlertDeliverySelect },
    LoadedDelivery[]
  >;
  /** How many deliveries an alert has. */
  deliveryCounts: DataLoader<{ alertId: string }, number>;
}

interface AlertParts {
  prisma: PrismaClient;
  deliveryIdsOfAlerts: (alertIds: readonly string[], asked: PageRequest) => Promise<Map<string, string[]>>;
}

/** Makes the loaders. They remember nothing: they outlive requests, and deliveries come and go. */
export function createAlertLoaders(parts: AlertParts): AlertLoaders {
  const alertOf = ({ alertId }: { alertId: string }) => alertId;
  return {
    deliveries: groupedLoader(
      alertOf,
      ({ select, ...asked }) => `${pageSignature(asked)} ${JSON.stringify(select)}`,
      (alertIds, { select, ...asked }) => readDeliveries(parts, alertIds, asked, select),
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
  { prisma, deliveryIdsOfAlerts }: AlertParts,
  alertIds: readonly string[],
  asked: PageRequest,
  select: Prisma.AlertDeliverySelect,
): Promise<Map<string, LoadedDelivery[]>> {
  return rowsOfOwners(
    await deliveryIdsOfAlerts(alertIds, asked),
    (ids) =>
      prisma.alertDelivery.findMany({
        where: { id: { in: ids } },
        select: { ...select, id: true },
      }) as unknown as Promise<LoadedDelivery[]>,
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
