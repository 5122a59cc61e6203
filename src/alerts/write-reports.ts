import type { AlertEvent } from '../domain/alert/alert.ts';
import { type AlertNotice, foldNotice, writeNotice } from '../domain/alert/alert-notice.ts';
import { oppositeOf, placeReports, THROTTLE_WINDOW_MS } from '../domain/alert/alert-throttle.ts';
import { groupBy } from '../domain/values/group-by.ts';
import {
  type GatheredReports,
  insertDeliveries,
  type NewDelivery,
  readSentLately,
  type SentLately,
  updateGathering,
} from '../store/alerts/alert-reports.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { type AlertReport, streamKey } from './evaluate.ts';

export interface ReportOptions {
  newId: (now: Date) => string;
  /** How many deliveries of one alert and one event may be due within any minute. */
  maxPerMinute: number;
}

/**
 * Turns reports into deliveries, in the transaction that holds the reader's row and the alerts.
 *
 * @returns how many deliveries are new
 */
export async function writeReports(
  tx: Queryable,
  reports: readonly AlertReport[],
  options: ReportOptions,
  now: Date,
): Promise<number> {
  const alertIds = [...new Set(reports.map(({ alert }) => alert.id))];
  const sent = await readSentLately(tx, alertIds, new Date(now.getTime() - THROTTLE_WINDOW_MS));
  const sentByStream = groupBy(sent, streamKey);
  const gatheringDueAt = new Map(
    sent.flatMap((one) => (one.gathering ? [[streamKey(one), one.dueAt] as const] : [])),
  );
  const plans = streamsOf(withIds(reports, options, now)).map(({ alertId, event, stream }) => {
    const key = streamKey({ alertId, event });
    const opposite = oppositeOf(event);
    const oppositeDueAt = opposite && gatheringDueAt.get(streamKey({ alertId, event: opposite }));
    const plan = planStream(stream, sentByStream.get(key) ?? [], oppositeDueAt ?? null, options, now);
    if (plan.gatherDueAt) gatheringDueAt.set(key, plan.gatherDueAt);
    return plan;
  });
  const added = plans.flatMap((plan) => plan.added);
  await insertDeliveries(tx, added);
  await updateGathering(
    tx,
    plans.flatMap((plan) => plan.gathered),
  );
  return added.length;
}

/** A report, and an id for its delivery if it gets its own. */
type NewReport = AlertReport & { deliveryId: string };

/** Ids of one millisecond come in random order. Sorting gives them the order of the reports. */
function withIds(reports: readonly AlertReport[], { newId }: ReportOptions, now: Date): NewReport[] {
  const ids = reports.map(() => newId(now)).sort();
  return reports.map((report, index) => ({ ...report, deliveryId: ids[index] ?? newId(now) }));
}

/** The reports of one alert about one event. */
interface Stream {
  alertId: string;
  event: AlertEvent;
  stream: NewReport[];
}

/** In the order of their last reports, so each comes after the older ones of its opposite event. */
function streamsOf(reports: readonly NewReport[]): Stream[] {
  const latestFirst = groupBy(reports.toReversed(), ({ alert, event }) =>
    streamKey({ alertId: alert.id, event }),
  );
  return [...latestFirst.values()].reverse().map((latest) => {
    const [{ alert, event }] = latest;
    return { alertId: alert.id, event, stream: latest.toReversed() };
  });
}

interface StreamPlan {
  added: NewDelivery[];
  /** The new content of a delivery that already gathers reports; empty when there is none. */
  gathered: GatheredReports[];
  /** When the gathering delivery is due, new or not; null when it got no report. */
  gatherDueAt: Date | null;
}

/** Distributes the reports of one alert about one event over deliveries. */
function planStream(
  stream: readonly NewReport[],
  sent: readonly SentLately[],
  oppositeDueAt: Date | null,
  { maxPerMinute }: ReportOptions,
  now: Date,
): StreamPlan {
  const gathering = sent.flatMap(({ id, dueAt, gathering: notice }) =>
    notice ? { id, dueAt, notice } : [],
  )[0];
  const sentSoFar = {
    dueAt: sent.map(({ dueAt }) => dueAt),
    gatheringDueAt: gathering?.dueAt ?? null,
    oppositeDueAt,
  };
  const { sentNow, gatherDueAt } = placeReports(stream.length, sentSoFar, maxPerMinute, now);

  const added = stream.slice(0, sentNow).map((report) => {
    const id = report.deliveryId;
    return newDelivery(report, noticeOf(report, id), { id, createdAt: now, dueAt: now });
  });
  const others = stream.slice(sentNow);
  const last = others.at(-1);
  if (!last) return { added, gathered: [], gatherDueAt: null };
  const dueAt = gatherDueAt ?? now;

  const id = gathering?.id ?? last.deliveryId;
  const notices = others.map((report) => noticeOf(report, id));
  const notice = gathering ? notices.reduce(foldNotice, gathering.notice) : notices.reduce(foldNotice);
  if (gathering) {
    const { occurrences } = notice;
    const changed = { id, executionId: executionOf(last), dueAt, occurrences, notice };
    return { added, gathered: [changed], gatherDueAt: dueAt };
  }
  const gatherer = newDelivery(last, notice, { id, createdAt: now, dueAt });
  return { added: [...added, gatherer], gathered: [], gatherDueAt: dueAt };
}

function newDelivery(
  report: AlertReport,
  notice: AlertNotice,
  facts: Pick<NewDelivery, 'id' | 'createdAt' | 'dueAt'>,
): NewDelivery {
  return {
    ...facts,
    alertId: report.alert.id,
    executionId: executionOf(report),
    event: report.event,
    occurrences: notice.occurrences,
    isTest: false,
    notice,
    leaseExpiresAt: null,
    attempts: 0,
  };
}

function noticeOf(report: AlertReport, id: string): AlertNotice {
  const { alert, at, facts } = report;
  return writeNotice(id, { ...alert, alertId: alert.id }, report, { at, execution: facts });
}

function executionOf({ isKept, facts }: AlertReport): string | null {
  return isKept ? facts.executionId : null;
}
