import type { Queryable } from './sql.ts';

const LATEST = `
-- the ids of the newest deliveries of each of many alerts, in one statement: one look into an index per alert.
SELECT alert.id AS "alertId", latest.id
FROM unnest($1::uuid[]) AS alert(id), LATERAL (
  SELECT d.id, d.created_at FROM job_alert_deliveries AS d
  WHERE d.alert_id = alert.id ORDER BY d.created_at DESC, d.id DESC LIMIT $2
) AS latest
ORDER BY latest.created_at DESC, latest.id DESC`;

/** Per alert its newest deliveries, newest first, at most `limit` of each; an alert without any is missing. */
export async function latestDeliveryIds(
  db: Queryable,
  alertIds: readonly string[],
  limit: number,
): Promise<Map<string, string[]>> {
  const { rows } = await db.query<{ alertId: string; id: string }>({
    name: 'latest-deliveries',
    text: LATEST,
    values: [alertIds, limit],
  });
  const byAlert = new Map<string, string[]>();
  for (const { alertId, id } of rows) byAlert.set(alertId, [...(byAlert.get(alertId) ?? []), id]);
  return byAlert;
}
